import base64

db = __import__(base64.b64decode('c3FsaXRlMw==').decode())
