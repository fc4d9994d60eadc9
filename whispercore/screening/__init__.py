"""A second look at what strangers send: patterns of known attacks in text, and files that are not what they say.

What keeps an installation safe is elsewhere: parameters in statements, no shell, escaped output, checked types,
decoders in children. Screening refuses early what nobody sends by accident, and tells the audit trail of it. It knows
nothing of HTTP and opens nothing.
"""
