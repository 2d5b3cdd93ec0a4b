from chekhov.cli.main import main

main()
