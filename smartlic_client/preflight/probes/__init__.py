"""What is done on the network, each probe a thin function that returns what it saw and raises nothing.

    resolve   a name to its addresses, both families
    connect   a TCP connection, by a proxy if there is one
    read      a TLS handshake that verifies nothing and after which nothing is sent: the chain as presented
    checked   a second connection with the client's own context; only there, and only if chain and name hold,
              a request asks whether the path answers

All of a target ends by one deadline, a point on the monotonic clock. Nothing is retried, nothing is changed
on the server: an untrusted server sees a handshake and the end of it.
"""
