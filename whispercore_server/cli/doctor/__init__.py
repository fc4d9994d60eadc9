"""``whispercore doctor``.

``findings`` are the facts, ``collect``, ``machine`` and ``trial`` find them, ``advice`` draws conclusions, ``show``
prints.
"""
