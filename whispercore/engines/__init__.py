"""What turns sound into text: the protocol, the pool that shares engines, and the engines."""
