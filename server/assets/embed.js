// Puts a buy button into every element with data-mintreu="product".
(() => {
  const shop = new URL(document.currentScript.src).origin;
  const frames = new Map();
  for (const place of document.querySelectorAll('[data-mintreu]')) {
    const query = new URLSearchParams({ origin: location.origin });
    for (const name of ['price', 'quantity', 'code']) {
      if (place.dataset[name]) query.set(name, place.dataset[name]);
    }
    const frame = document.createElement('iframe');
    frame.src = `${shop}/embed/${encodeURIComponent(place.dataset.mintreu)}?${query}`;
    frame.title = place.dataset.title || place.dataset.mintreu;
    frame.style.cssText = 'border:0;inline-size:100%;max-inline-size:24rem;block-size:9rem';
    place.append(frame);
    frames.set(frame.contentWindow, frame);
  }
  addEventListener('message', (event) => {
    const frame = frames.get(event.source);
    if (!frame || event.origin !== shop || event.data?.type !== 'mintreu:size') return;
    const height = Number(event.data.height);
    if (height > 0 && height < 2000) frame.style.blockSize = `${height}px`;
  });
})();
