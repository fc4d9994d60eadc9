"""How an operation of an API is declared, once, for the server, both clients and the reference.

``endpoint`` has the kinds of operations, ``group`` what holds them, ``plan`` where fields travel, ``fields`` what a
field may say of itself, ``wire`` the JSON, ``dialect`` envelopes and errors, ``transport`` what a client brings.
"""
