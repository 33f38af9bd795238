settings = dict(broker='redis://localhost:6379/0', archive='mongodb+srv://host/db')
