//! Bodies that are written while they are sent.

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame};
use std::io::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Pieces that wait for a slow reader.
const WAITING: usize = 4;

/// The end of a body that is written into.
#[derive(Debug, Clone)]
pub struct Pieces(mpsc::Sender<Result<Bytes, Error>>);

impl Pieces {
    /// Sends a piece, waiting for a slow reader; whether anybody still listens.
    pub async fn send(&self, piece: Vec<u8>) -> bool {
        self.0.send(Ok(piece.into())).await.is_ok()
    }

    /// Breaks the body off, so that its reader can't take it for whole.
    pub async fn fail(&self, why: String) {
        // Nobody listens any more, or the reader learns of it.
        self.0.send(Err(Error::other(why))).await.ok();
    }
}

struct Written(mpsc::Receiver<Result<Bytes, Error>>);

impl HttpBody for Written {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let next = self.0.poll_recv(cx);
        next.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// A body and the end to write into it; it is over when that end is dropped.
pub fn pieces() -> (Pieces, Body) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Pieces(sender), Body::new(Written(receiver)))
}
