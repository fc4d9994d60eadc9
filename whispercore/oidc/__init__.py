"""Signing in with an OpenID Connect provider: whose word is taken for who somebody is, and what is made of it."""
