"""The audit trail: who did what, when and from where; nothing in it can be changed unseen."""
