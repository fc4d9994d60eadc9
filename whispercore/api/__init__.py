"""What the APIs are: a folder for each documented API, a file for each of its resources. No I/O happens here."""
