"""`python -m rocov2_commands VERB` is `rocov2 VERB`."""

from rocov2_commands.main import main

if __name__ == "__main__":
    main()
