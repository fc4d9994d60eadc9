"""Any server with OpenAI's API for speech as an engine: ``engine`` asks it, ``answers`` reads what it says."""
