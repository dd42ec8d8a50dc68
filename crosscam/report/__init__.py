"""A run as one HTML page: numbers, charts, pictures, parameters, md5s."""
