//! A listing without its identity, ready to be sent under many names.

use serde_json::{Map, Value};
use touchstone_types::{Listing, ParseError};

/// The parts of a listing's JSON that stay the same whatever its id, version and photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The listing's own id, the beginning of those it is sent under.
    id: String,
    /// Its images as a JSON array; empty where it has none that a worker could see.
    images: String,
    /// The other fields and the end of the object, beginning with a comma.
    rest: String,
}

impl Template {
    /// Reads a listing. Images that are only named by a path are left out: no worker reads files.
    ///
    /// # Errors
    /// As [`Listing::from_json`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ParseError> {
        let id = Listing::from_json(bytes)?.listing_id.to_string();
        let mut fields: Map<String, Value> = serde_json::from_slice(bytes).unwrap_or_default();
        fields.remove("listing_id");
        fields.remove("version");
        let mut images = fields.remove("images").unwrap_or_default();
        let images = images.as_array_mut().map(|images| {
            images.retain(can_be_seen);
            Value::from(std::mem::take(images)).to_string()
        });
        let images = images.filter(|array| array != "[]").unwrap_or_default();
        let rest = Value::from(fields).to_string().replacen('{', ",", 1);
        Ok(Self { id, images, rest })
    }

    /// The id under which the listing is sent as number `number` of a run with this seed: no other number or seed has it.
    pub(super) fn id(&self, seed: u64, number: u64) -> String {
        format!("{}.{seed}.{number}", self.id)
    }

    /// The listing's JSON under this id, with these photos in place of its own if there are any.
    pub(super) fn stamp(&self, id: &str, version: u64, photos: &[String]) -> Vec<u8> {
        let photo_bytes: usize = photos.iter().map(|url| url.len() + 12).sum();
        let mut json =
            String::with_capacity(self.rest.len() + self.images.len() + id.len() + photo_bytes + 64);
        json.push_str("{\"listing_id\":");
        json.push_str(&Value::from(id).to_string());
        json.push_str(",\"version\":");
        json.push_str(&version.to_string());
        if !photos.is_empty() {
            json.push_str(",\"images\":[{\"url\":\"");
            json.push_str(&photos.join("\"},{\"url\":\""));
            json.push_str("\"}]");
        } else if !self.images.is_empty() {
            json.push_str(",\"images\":");
            json.push_str(&self.images);
        }
        json.push_str(&self.rest);
        json.into_bytes()
    }
}

fn can_be_seen(image: &Value) -> bool {
    image["data"].is_string() || image["url"].as_str().is_some_and(|url| url.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"listing_id":"EX \"1\"","version":7,"title":"Lumora {20}","price":{"amount":"38.40","currency":"BRL"},
        "images":[{"url":"images/a.jpg"},{"url":"https://lumora.example/b.jpg"}],"seller":{"seller_id":"S-1"}}"#;

    #[test]
    fn a_stamped_listing_differs_in_id_version_and_photos_alone() {
        let mut expected = Listing::from_json(JSON.as_bytes()).unwrap();
        let template = Template::from_json(JSON.as_bytes()).unwrap();
        let stamped = Listing::from_json(&template.stamp(&template.id(3, 12), 9, &[])).unwrap();
        assert_eq!(stamped.listing_id.as_str(), "EX \"1\".3.12");
        expected.listing_id = stamped.listing_id.clone();
        expected.version = 9;
        expected.images.remove(0);
        assert_eq!(stamped, expected);

        let photos = ["http://127.0.0.1:9/a".to_owned(), "http://127.0.0.1:9/b".to_owned()];
        let stamped = Listing::from_json(&template.stamp("EX-2", 1, &photos)).unwrap();
        let urls: Vec<_> = stamped.images.iter().filter_map(|image| image.url.clone()).collect();
        assert_eq!(urls, photos);
    }

    #[test]
    fn what_is_no_listing_is_no_template() {
        assert!(Template::from_json(br#"{"listing_id":"EX-1"}"#).is_err());
    }
}
