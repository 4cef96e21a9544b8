"""Start the darts application: python run.py"""

from app import main

if __name__ == "__main__":
    main()
