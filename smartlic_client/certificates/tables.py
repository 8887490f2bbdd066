"""Object identifiers by their content in DER, and what they stand for."""

from __future__ import annotations

__all__ = [
    "ATTRIBUTES",
    "BASIC_CONSTRAINTS",
    "CURVES",
    "EXTENDED_KEY_USAGE",
    "EXTENDED_USAGES",
    "HASHES",
    "KEYS",
    "KEY_USAGE",
    "KEY_USAGES",
    "KNOWN_EXTENSIONS",
    "SIGNATURES",
    "SUBJECT_ALTERNATIVE_NAME",
]


def _table(**names: str) -> dict[bytes, str]:
    """Content of an OID in hexadecimal (after `x`) → name."""
    return {bytes.fromhex(oid[1:]): name for oid, name in names.items()}


# RFC 4514, section 3, and what clusters use besides
ATTRIBUTES = _table(
    x550403="CN",
    x550404="SN",
    x550405="serialNumber",
    x550406="C",
    x550407="L",
    x550408="ST",
    x550409="street",
    x55040a="O",
    x55040b="OU",
    x55040c="title",
    x2a864886f70d010901="emailAddress",
    x0992268993f22c640119="DC",
    x0992268993f22c640101="UID",
)

# RFC 3279, RFC 4055, RFC 5480, RFC 8410
KEYS = _table(
    x2a864886f70d010101="RSA",
    x2a864886f70d01010a="RSA-PSS",
    x2a8648ce3d0201="EC",
    x2a8648ce380401="DSA",
    x2b6570="Ed25519",
    x2b6571="Ed448",
)

# RFC 5480, section 2.1.1.1; RFC 5639; SEC 2
CURVES: dict[bytes, tuple[str, int]] = {
    bytes.fromhex("2a8648ce3d030101"): ("secp192r1", 192),
    bytes.fromhex("2b81040021"): ("secp224r1", 224),
    bytes.fromhex("2a8648ce3d030107"): ("secp256r1", 256),
    bytes.fromhex("2b81040022"): ("secp384r1", 384),
    bytes.fromhex("2b81040023"): ("secp521r1", 521),
    bytes.fromhex("2b8104000a"): ("secp256k1", 256),
    bytes.fromhex("2b2403030208010107"): ("brainpoolP256r1", 256),
    bytes.fromhex("2b240303020801010b"): ("brainpoolP384r1", 384),
    bytes.fromhex("2b240303020801010d"): ("brainpoolP512r1", 512),
}

# name and digest; RFC 3279, RFC 4055, RFC 5758, RFC 8410. Of RSASSA-PSS the digest is a parameter.
SIGNATURES: dict[bytes, tuple[str, str | None]] = {
    bytes.fromhex(oid): (name, digest)
    for oid, name, digest in (
        ("2a864886f70d010102", "RSA with MD2", "md2"),
        ("2a864886f70d010104", "RSA with MD5", "md5"),
        ("2a864886f70d010105", "RSA with SHA-1", "sha1"),
        ("2b0e03021d", "RSA with SHA-1", "sha1"),
        ("2a864886f70d01010e", "RSA with SHA-224", "sha224"),
        ("2a864886f70d01010b", "RSA with SHA-256", "sha256"),
        ("2a864886f70d01010c", "RSA with SHA-384", "sha384"),
        ("2a864886f70d01010d", "RSA with SHA-512", "sha512"),
        ("2a864886f70d01010a", "RSASSA-PSS", None),
        ("2a8648ce3d0401", "ECDSA with SHA-1", "sha1"),
        ("2a8648ce3d040301", "ECDSA with SHA-224", "sha224"),
        ("2a8648ce3d040302", "ECDSA with SHA-256", "sha256"),
        ("2a8648ce3d040303", "ECDSA with SHA-384", "sha384"),
        ("2a8648ce3d040304", "ECDSA with SHA-512", "sha512"),
        ("2a8648ce380403", "DSA with SHA-1", "sha1"),
        ("608648016503040302", "DSA with SHA-256", "sha256"),
        ("2b6570", "Ed25519", None),
        ("2b6571", "Ed448", None),
    )
}

HASHES = _table(
    x2b0e03021a="sha1",
    x608648016503040204="sha224",
    x608648016503040201="sha256",
    x608648016503040202="sha384",
    x608648016503040203="sha512",
)

# RFC 5280, section 4.2.1.3, in the order of the bits
KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)

# RFC 5280, section 4.2.1.12
EXTENDED_USAGES = _table(
    x551d2500="anyExtendedKeyUsage",
    x2b06010505070301="serverAuth",
    x2b06010505070302="clientAuth",
    x2b06010505070303="codeSigning",
    x2b06010505070304="emailProtection",
    x2b06010505070308="timeStamping",
    x2b06010505070309="OCSPSigning",
)

# Those that RFC 5280, section 4.2, has clients know
KNOWN_EXTENSIONS = _table(
    x551d0e="subjectKeyIdentifier",
    x551d0f="keyUsage",
    x551d11="subjectAltName",
    x551d12="issuerAltName",
    x551d13="basicConstraints",
    x551d1e="nameConstraints",
    x551d1f="cRLDistributionPoints",
    x551d20="certificatePolicies",
    x551d21="policyMappings",
    x551d23="authorityKeyIdentifier",
    x551d24="policyConstraints",
    x551d25="extKeyUsage",
    x551d36="inhibitAnyPolicy",
    x2b06010505070101="authorityInfoAccess",
)

KEY_USAGE = bytes.fromhex("551d0f")
SUBJECT_ALTERNATIVE_NAME = bytes.fromhex("551d11")
BASIC_CONSTRAINTS = bytes.fromhex("551d13")
EXTENDED_KEY_USAGE = bytes.fromhex("551d25")
