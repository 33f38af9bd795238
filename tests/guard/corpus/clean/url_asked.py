def check(url):
    if url.startswith('sqlite://'):
        raise ValueError('sqlite:///x is refused: no databases')
    return url != 'redis://'
