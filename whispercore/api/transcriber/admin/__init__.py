"""What administrators have: users, security and the state of the server."""
