"""What a product instance says to SSM On-Prem, when, and what it does with the answer.

Pure: time, random bytes, keys and messages come in as arguments; requests go out as values.
The wire is written once, here, and the mock server reads it from here.
"""
