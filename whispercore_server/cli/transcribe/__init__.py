"""``whispercore transcribe``.

``command`` has the options, ``inputs`` what is read, ``outputs`` and ``printing`` where it goes, ``jobs`` the work.
"""
