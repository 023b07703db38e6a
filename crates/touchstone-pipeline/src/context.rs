//! What listings are judged with.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use touchstone_catalog::Snapshot;
use touchstone_classifier::{Bundle, Classifier, ClassifierError};
use touchstone_image_hash::PhotoScore;
use touchstone_text::Lexicon;
use touchstone_types::Versions;

use crate::features::feature_names;
use crate::pair_matcher::PairMatcher;
use crate::photo_score::read_photo_score;
use crate::policy::Policy;

/// A model file, ready to score.
#[derive(Debug, Clone)]
pub struct Model {
    id: String,
    classifier: Classifier,
    matcher: Option<Arc<PairMatcher>>,
    photo_score: Option<PhotoScore>,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// A damaged file, one of another version, one without a classifier, or one with a part that is broken or was trained on
    /// other features than this build computes; the message says what to do.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassifierError> {
        let bundle = Bundle::from_bytes(bytes)?;
        let classifier = bundle.classifier(&feature_names())?;
        let matcher = PairMatcher::from_bundle(&bundle)?.map(Arc::new);
        let photo_score = read_photo_score(&bundle)?;
        Ok(Self { id: bundle.id(), classifier, matcher, photo_score })
    }

    /// The content hash that stands in `versions.model`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The part that scores listings.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The part that says whether an offer is about a product; `None` in a file without it, and every product match then
    /// keeps the rule's probability.
    pub fn pair_matcher(&self) -> Option<&PairMatcher> {
        self.matcher.as_deref()
    }
}

/// What listings are judged with: immutable and cheap to clone; a change of the catalog makes a new one.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) model: Option<Arc<Model>>,
    pub(crate) matcher: Option<Arc<PairMatcher>>,
    photo_score: PhotoScore,
    pub(crate) policy: Arc<Policy>,
    pub(crate) versions: Versions,
}

impl Context {
    /// Puts the parts together and notes their versions. `lexicon` is the one that the snapshot was built with.
    pub fn new(
        snapshot: Arc<Snapshot>,
        lexicon: &Lexicon,
        model: Option<Arc<Model>>,
        policy: Arc<Policy>,
    ) -> Self {
        let versions = Versions {
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            catalog: snapshot.digest().to_owned(),
            model: model.as_ref().map(|m| m.id.clone()),
            policy: policy_id(&policy, lexicon),
        };
        let matcher = model.as_ref().and_then(|m| m.matcher.clone());
        let photo_score = model.as_ref().and_then(|m| m.photo_score.clone()).unwrap_or_default();
        Self { snapshot, model, matcher, photo_score, policy, versions }
    }

    /// The same context, its product matches weighed by this matcher in place of the model's.
    ///
    /// The matcher's calibrated probability replaces that of the text stage's rule for every product match on which no
    /// identifier (GTIN, part number, model) agrees; a match that falls below 0.3 is dropped. For training: a classifier must
    /// learn from the matches that it will be shown, before there is a model to hold both. `versions` says nothing of it.
    pub fn with_pair_matcher(self, matcher: Arc<PairMatcher>) -> Self {
        Self { matcher: Some(matcher), ..self }
    }

    /// The same context with this photo score in place of the model's; for training, as [`with_pair_matcher`](Self::with_pair_matcher).
    pub fn with_photo_score(self, photo_score: PhotoScore) -> Self {
        Self { photo_score, ..self }
    }

    /// The same model and policy over another state of the catalog.
    pub fn with_snapshot(&self, snapshot: Arc<Snapshot>) -> Self {
        let versions = Versions { catalog: snapshot.digest().to_owned(), ..self.versions.clone() };
        Self { snapshot, versions, ..self.clone() }
    }

    /// The catalog.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The same context under another policy. `lexicon` is the one that the snapshot was built with.
    pub fn with_policy(self, policy: Arc<Policy>, lexicon: &Lexicon) -> Self {
        let versions = Versions { policy: policy_id(&policy, lexicon), ..self.versions };
        Self { policy, versions, ..self }
    }

    /// The same context without the model's classifier: no listing gets a probability. Its pair matcher and photo score stay.
    pub fn without_classifier(self) -> Self {
        let versions = Versions { model: None, ..self.versions };
        Self { model: None, versions, ..self }
    }

    /// What tells copies of reference photos from other pictures.
    pub fn photo_score(&self) -> &PhotoScore {
        &self.photo_score
    }

    /// The settings of the decision table.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What a verdict made with this context says of itself.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }
}

/// The lexicon decides as much as the thresholds do, so both are in the policy's version.
fn policy_id(policy: &Policy, lexicon: &Lexicon) -> String {
    let mut hash = Sha256::new();
    hash.update(policy.canonical());
    hash.update(lexicon.id());
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
