"""Answers to administrators."""
