"""The shapes that trainers ask for, made without decoding an image."""
