"""Who speaks when, and which words are whose.

``diarizer`` is the protocol, ``diarization`` what callers may ask for, ``assignment`` gives segments their speakers.
"""
