"""Stands in for torchaudio, which LLaMA-Factory imports for sound: the data here has none."""
