URL = 'sqlite:///state.db'
