"""Counts of text on a server of S3, into a folder there, over connections that drop."""

from small_counts import merged, work_of, write_text

from toktk.counts.merged import Counts


def test_counts_on_s3_equal_those_of_files(s3, tmp_path):
    import s3fs

    text = write_text(tmp_path / "text")
    s3fs.S3FileSystem().put(str(text), "bucket/text", recursive=True)
    here = merged(work_of(text), tmp_path / "counts", range(4))
    s3.drops += [3000, 40_000, 100_000]
    s3.upload_drops += [20_000, 50_000]
    there = merged(work_of("s3://bucket/text"), "s3://bucket/counts", (2, 0, 3, 1))
    assert not s3.drops
    assert not s3.upload_drops
    for files in (here, there):
        del files["merged/merged.json"]  # which names the text, and its marks
    assert there == here
    counts = [Counts.open(where) for where in ("s3://bucket/counts", str(tmp_path / "counts"))]
    assert counts[0].fingerprint("training") == counts[1].fingerprint("training")
    assert not [*(tmp_path / "home").rglob("downloads/*")]  # the text was read by ranges
