"""The lab's networks: small instances of the real classes, each trained by a stage of its own from pools that are never scored."""
