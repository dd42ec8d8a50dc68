"""CMC, average precision, inverse negative penalty, camera pairs."""
