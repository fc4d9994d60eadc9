"""What jobs do: the kinds of work, without HTTP. Each is given its ports and is called by a worker."""
