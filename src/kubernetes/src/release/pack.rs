//! Packing an App's input into one value of a ConfigMap: JSON, compressed by zlib, in base64.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use formwork_engine::{Data, Failure};
use miniz_oxide::{deflate::compress_to_vec_zlib, inflate::decompress_to_vec_zlib_with_limit};

/// Bytes that a ConfigMap or a Secret holds at most
/// (<https://kubernetes.io/docs/concepts/configuration/configmap/#motivation>).
pub const LARGEST: usize = 1024 * 1024;
/// Bytes that a revision unpacks to at most; more isn't one of ours.
pub const LARGEST_UNPACKED: usize = 64 * 1024 * 1024;
/// How hard zlib tries, from 0 to 10: the default, at which most of the gain is had.
const LEVEL: u8 = 6;

/// A value for `binaryData`; refused where the API server wouldn't take it.
pub fn pack(inputs: &Data) -> Result<String, Failure> {
    let json = inputs.to_json().to_string();
    let packed = compress_to_vec_zlib(json.as_bytes(), LEVEL);
    if json.len() > LARGEST_UNPACKED || packed.len() > LARGEST {
        return Err(Failure::invalid(format!(
            "the release is too large to be kept in the cluster: {} bytes packed, {} unpacked, of {LARGEST} and \
             {LARGEST_UNPACKED} allowed",
            packed.len(),
            json.len()
        ))
        .hint("take large files out of the overlay's ConfigMaps: into the image, or a bucket"));
    }
    Ok(BASE64_STANDARD.encode(packed))
}

/// The input again.
pub fn unpack(text: &str) -> Result<Data, String> {
    let packed = BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?;
    let json = decompress_to_vec_zlib_with_limit(&packed, LARGEST_UNPACKED)
        .map_err(|error| error.to_string())?;
    let json: serde_json::Value =
        serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    Ok(Data::from_json(&json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_packed_comes_out_again() {
        let secret = json!({"$secret": [{"ref": {"store": "s", "key": "k", "version": "1"}}]});
        let inputs = Data::from_json(&json!({"namespace": "n", "secrets": {"A": secret}}));
        assert_eq!(unpack(&pack(&inputs).unwrap()), Ok(inputs));
        assert!(unpack("bm90IHpsaWI=").is_err());
        assert!(unpack("%").is_err());
    }

    #[test]
    fn what_is_too_large_is_refused_with_its_size() {
        // Digests of digests: nothing that zlib could make smaller than half.
        let mut data = Data::Text("seed".into());
        let noise: Vec<Data> = (0..40_000)
            .map(|_| {
                data = Data::Text(data.digest());
                data.clone()
            })
            .collect();
        let failure = pack(&Data::List(noise)).unwrap_err();
        assert!(failure.message.contains("too large"), "{failure}");
        assert!(failure.message.contains("of 1048576 and"), "{failure}");
    }
}
