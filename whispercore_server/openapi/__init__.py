"""The documents of a server: OpenAPI 3.1 from the declarations, and two pages that show it.

``schemas`` describes classes, ``envelopes`` asks a dialect how it writes, ``operations`` describes one endpoint,
``document`` all of them; ``host`` brings documents and ``pages`` into an application.
"""
