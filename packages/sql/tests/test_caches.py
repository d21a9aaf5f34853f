from guerdon_sql.caches import ByteCache


def text_cache(max_bytes):
    return ByteCache(max_bytes, lambda key, value: len(value))


def test_the_least_recently_used_leaves_first():
    cache = text_cache(80)
    for key in "abcdefgh":
        cache.put(key, "x" * 10)
    assert cache.get("a") == "x" * 10
    cache.put("i", "x" * 10)
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.used_bytes == 80


def test_one_large_value_never_drives_the_others_out():
    cache = text_cache(80)
    cache.put("a", "x")
    cache.put("b", "x" * 11)
    assert (cache.get("a"), cache.get("b")) == ("x", None)


def test_a_replaced_value_gives_its_room_back():
    cache = text_cache(80)
    for _ in range(100):
        cache.put("a", "x" * 10)
    assert (cache.used_bytes, len(cache)) == (10, 1)
    cache.clear()
    assert (cache.used_bytes, len(cache)) == (0, 0)
