"""`python -m rocov2_tasks.score` is `rocov2 score`; `rocov2_tasks.scoring` has what it does."""

if __name__ == "__main__":
    from rocov2_commands.main import run_verb

    run_verb("score")
