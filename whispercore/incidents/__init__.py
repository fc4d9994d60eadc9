"""Incidents: what the audit trail shows to be more than a slip, so that somebody looks at it."""
