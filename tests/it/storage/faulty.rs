//! An object store that stops working at a chosen write, as a process does that is killed there.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Which write is the last, and whether it still takes effect.
#[derive(Clone, Debug)]
pub(super) struct Fuse {
    left: Arc<AtomicI64>,
    last_takes_effect: bool,
}

impl Fuse {
    /// The first `writes` writes succeed. The next is the last thing that happens: it takes effect or not, and nobody learns
    /// which. Every read and write after it fails.
    pub(super) fn new(writes: i64, last_takes_effect: bool) -> Self {
        Self { left: Arc::new(AtomicI64::new(writes)), last_takes_effect }
    }

    /// Whether the fuse has blown.
    pub(super) fn is_blown(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    fn error() -> Error {
        Error::Generic { store: "faulty", source: "killed".into() }
    }

    fn check(&self) -> Result<()> {
        if self.is_blown() { Err(Self::error()) } else { Ok(()) }
    }

    /// What is to become of a write: done and told, done and not told, or not done.
    fn burn(&self) -> (bool, Result<()>) {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            1.. => (true, Ok(())),
            0 => (self.last_takes_effect, Err(Self::error())),
            _ => (false, Err(Self::error())),
        }
    }
}

/// A store in front of one that lasts.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: Arc<dyn ObjectStore>,
    pub(super) fuse: Fuse,
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (done, told) = self.fuse.burn();
        let result = if done { Some(self.inner.put_opts(location, payload, opts).await?) } else { None };
        told?;
        result.ok_or_else(Fuse::error)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.fuse.check()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.fuse.check()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.fuse.check()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, fuse) = (Arc::clone(&self.inner), self.fuse.clone());
        let delete = move |location: Result<Path>| {
            let (inner, fuse) = (Arc::clone(&inner), fuse.clone());
            async move {
                let location = location?;
                let (done, told) = fuse.burn();
                if done {
                    inner.delete(&location).await?;
                }
                told.map(|()| location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fuse.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures_util::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.fuse.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (done, told) = self.fuse.burn();
        if done {
            self.inner.copy_opts(from, to, options).await?;
        }
        told
    }
}
