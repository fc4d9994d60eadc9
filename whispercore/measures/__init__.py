"""What an installation is doing, in figures: counted, measured, kept for a while, and looked at for what is wrong.

Nothing here is imported by ``import whispercore``: it needs the ``server`` extra.
"""
