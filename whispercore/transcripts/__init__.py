"""What people do with transcripts: correct, compare and restore them, tag them, share them."""
