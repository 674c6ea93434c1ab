"""The cloud's fixtures, on both databases."""

from tests.cloud.conftest import address, cloud, databases

__all__ = ["address", "cloud", "databases"]
