"""Looks for every secret of an account in files and in a bucket: as it is, and in the forms that texts take on.

argv: the folders to look through; the bucket, or "". Prints a line per find, then how much was looked through.
"""
import base64, hashlib, os, sys, urllib.parse

folders, bucket = sys.argv[1:-1], sys.argv[-1]


def secrets():
    store = client("secretsmanager")
    for page in store.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            for version in store.list_secret_version_ids(SecretId=secret["ARN"], IncludeDeprecated=True)["Versions"]:
                value = store.get_secret_value(SecretId=secret["ARN"], VersionId=version["VersionId"])
                # A secret is made before its value is.
                if "SecretString" in value:
                    yield secret["Name"], value["SecretString"].encode()


def forms(value):
    yield "as it is", value
    # Within a longer text its first and last characters may be coded together with what is around it.
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + value)
        start = 0 if shift == 0 else 4
        yield "as base64", coded[start : len(coded) // 4 * 4 - 4]
        yield "as base64 for URLs", coded[start : len(coded) // 4 * 4 - 4].translate(bytes.maketrans(b"+/", b"-_"))
    yield "URL-encoded", urllib.parse.quote(value, safe="").encode()
    yield "as hexadecimal", value.hex().encode()
    for name in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(name, value)
        yield f"as {name}", digest.hexdigest().encode()
        yield f"as {name} in base64", base64.b64encode(digest.digest())


known = list(secrets())
needles = [(name, form, needle) for name, value in known for form, needle in forms(value)]
assert needles, "the account has no secret to look for"


def look(where, content):
    for name, form, needle in needles:
        if needle in content:
            print(f"{where} holds {name} {form}")


looked = 0
for folder in folders:
    for place, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(place, file)
            looked += 1
            with open(path, "rb") as opened:
                look(path, opened.read())
if bucket:
    s3 = client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            looked += 1
            look(f"s3://{bucket}/{found['Key']}", s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())

# What finds nothing must be able to find: a text around a secret, coded as a whole, is found for each.
for name, value in known:
    for shift in range(3):
        whole = base64.b64encode(b"postgres:"[: 9 - shift] + value + b"@host")
        assert any(needle in whole for other, _, needle in needles if other == name), name
print(f"looked={looked} secrets={len({name for name, _, _ in needles})} forms={len(needles)}")
