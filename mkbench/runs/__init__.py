"""Run folders: their files, the manifest, the typed results, and finished runs."""
