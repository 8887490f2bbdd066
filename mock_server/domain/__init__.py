"""The licensing domain of the mock server: commands in, events out. Pure.

`decide` functions read the state and return events, which carry results; `apply` changes the state in place,
draws nothing and signs nothing. The journal of events is what is durable and what is replicated.
"""
