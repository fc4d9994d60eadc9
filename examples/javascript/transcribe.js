// Has a recording transcribed by a server and prints the text:
//
//     npm install && WHISPERCORE_API_KEY=... node transcribe.js RECORDING [MODEL] [URL]

const { WhisperTranscriberClient } = require('./client');

async function transcribe(recording, model, url) {
    const client = new WhisperTranscriberClient(url, process.env.WHISPERCORE_API_KEY);
    const job = await client.createJob(recording, model);
    const done = await client.waitForCompletion(job.job_id, 200);
    if (done.status === 'failed') throw new Error(done.error);
    return done.transcript.text;
}

const [recording, model = 'micro', url = 'http://127.0.0.1:8000'] = process.argv.slice(2);
transcribe(recording, model, url).then(console.log, (error) => {
    console.error(error.response?.data?.detail ?? error.message);
    process.exitCode = 1;
});
