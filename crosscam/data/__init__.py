"""Archives, dataset layouts, packed images, decoding, augmentation, samplers."""
