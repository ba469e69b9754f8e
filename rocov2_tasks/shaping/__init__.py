"""The shapes behind `rocov2_tasks.views` and the filters behind `rocov2_tasks.subsets`, made without decoding an image."""
