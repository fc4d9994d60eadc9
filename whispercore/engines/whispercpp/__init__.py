"""whisper.cpp, through the library that pywhispercpp brings.

``engine`` is the parent's side. In the child: ``child`` answers messages; ``states`` runs windows side by side on one
set of weights through ctypes, and ``binding`` one at a time through the plain binding where ``states`` does not know
the library's version.
"""
