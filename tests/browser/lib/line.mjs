// The Wi-Fi between a phone and the box, as a proxy of bytes that can be cut, muted and mended.
import net from 'node:net'
import { BOX } from './box.mjs'

export async function openLine() {
  const { hostname, port } = new URL(BOX)
  const pairs = new Set()
  let state = 'good'
  const server = net.createServer((phone) => {
    if (state !== 'good') {
      phone.destroy()
      return
    }
    const box = net.connect(Number(port || 80), hostname)
    const pair = [phone, box]
    pairs.add(pair)
    const forget = () => {
      pairs.delete(pair)
      pair.forEach((socket) => socket.destroy())
    }
    for (const socket of pair) socket.on('error', forget).on('close', forget)
    phone.pipe(box).pipe(phone)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${server.address().port}`,
    /** Every connection breaks, and none can be made. */
    cut: () => {
      state = 'cut'
      for (const pair of [...pairs]) pair.forEach((socket) => socket.destroy())
    },
    /** Nobody hears anything any more, and nobody is told: how a phone loses its Wi-Fi. */
    mute: () => {
      state = 'mute'
      for (const [phone, box] of pairs) {
        phone.unpipe(box)
        box.unpipe(phone)
      }
    },
    mend: () => (state = 'good'),
    close: () => {
      for (const pair of [...pairs]) pair.forEach((socket) => socket.destroy())
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
