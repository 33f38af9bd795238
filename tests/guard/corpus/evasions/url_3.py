def url(user, host):
    return f'postgresql+psycopg2://{user}@{host}/data'
