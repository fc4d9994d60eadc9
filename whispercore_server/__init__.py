"""What runs whispercore for people and programs: the command line and the server."""
