"""The preflight check: will products register by this URL? It looks, and changes nothing.

    targets     what is checked: URLs, hosts, certificate files, inventories
    probes      what is done on the network: resolve, connect, shake hands, ask for the path
    observation what was seen, as values
    rules       what of it is right and wrong: pure functions from an observation to findings
    catalogue   what a finding is, and all that there are
    reports     the findings as text, JSON, JUnit XML, SARIF and one line: pure
    run, watch  many targets at once, and again until it is well

Nothing here is imported before it is needed: one target is checked in little more than the time that Python
takes to import ssl and cryptography.
"""
