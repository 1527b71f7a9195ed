(()=>{var T,dt,rn,G,Oe,ve,ht,_e,$t,Re,De,ln,ce=Symbol.for("pv"),ye={},we=[],cn=/^m(i|n|o|s|text|space)$/,Ae=Array.isArray,He=we.slice,ee=Object.assign;function Z(e){e&&e.parentNode&&e.remove()}function mt(e,t,n){var s,r,o,a={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?r=t[o]:a[o]=t[o];return i>2&&(a.children=i>3?He.call(arguments,2):n),le(e,a,s,r,null)}function le(e,t,n,s,r){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:ce,__v:r||++dt,__i:-1,__u:0};return!r&&T.vnode&&T.vnode(o),o}function xe(e){return e.children}function ge(e,t){this.props=e,this.context=t,this.__g=0}function X(e,t){if(t==null)return e.__&&X(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:X(e)}function un(e){var t,n=e.__v,s=n.__e,r=[],o=[],a=e.__P;a&&((t=ee({constructor:ce},n)).__v=n.__v+1,T.vnode&&T.vnode(t),Ue(a,t,n,e.__n,a.namespaceURI,32&n.__u?[s]:null,r,s||X(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,yt(r,t,o),n.__=n.__e=null,t.__e!=s&&ft(t))}function ft(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),ft(e)}function ut(e){(8&e.__g||(e.__g|=8,G.push(e),ve++))&&Oe==T.debounceRendering||((Oe=T.debounceRendering)||queueMicrotask)(_t)}function _t(){try{for(var e,t=1;G.length;)G.length>t&&G.sort(ht),e=G.shift(),t=G.length,8&e.__g&&un(e)}finally{(ve=G.length)&&(Oe||queueMicrotask)(_t)}}function gt(e,t,n,s,r,o,a,i,c,h,l){var f,$,p,d,w,_,v=s.__k||we,g=t.length;for(c=pn(n,t,v,c,g),f=0;f<g;f++)(p=n.__k[f])!=null&&($=~p.__i&&v[p.__i]||ye,p.__i=f,_=Ue(e,p,$,r,o,a,i,c,h,l),d=p.__e,($.ref!=p.ref||8&$.__u)&&($.ref&&Ie($.ref,null,p,$),p.ref&&l.push(p.ref,p.__c||d,p)),w=w||d,4&p.__u?(c=bt(p,c,e,!$.__v),$.__e&&($.__e=null)):typeof p.type=="function"&&_!==void 0?c=_:d&&(c=d.nextSibling),p.__u&=-21);return n.__e=w,c}function pn(e,t,n,s,r){var o,a,i,c,h,l,f,$,p,d=n.length,w=d,_=0,v=0,g=e.__k=Array(r);for(o=0;o<r;o++)(a=t[o])!=null&&typeof a!="boolean"&&typeof a!="function"?(typeof a!="object"||a.constructor===String?a=g[o]=le(null,a):Ae(a)?a=g[o]=le(xe,{children:a}):a.constructor===ce&&a.__b?a=g[o]=le(a.type,a.props,a.key,a.ref,a.__v):g[o]=a,c=o+_,a.__=e,a.__b=e.__b+1,i=null,~(h=a.__i=dn(a,n,c,w))&&(w--,(i=n[h])&&(i.__u|=2)),i&&i.__v?(a.__u|=16,h==c-1?_--:h==c+1?_++:h!=c&&(h>c?_--:_++,v=1)):(~h||(r>d?_--:r<d&&_++),typeof a.type!="function"&&(a.__u|=4))):g[o]=null;if(v){for(l=[],f=[],o=0;o<r;o++)if((a=g[o])&&16&a.__u){for(_=0,$=l.length;_<$;)l[p=_+$>>1]<a.__i?_=p+1:$=p;l[_]=a.__i,f[o]=_+1}for(_=l.length;o--;)f[o]&&(f[o]==_?_--:g[o].__u|=4)}if(w)for(o=0;o<d;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=X(i)),Be(i,i));return s}function bt(e,t,n,s){var r,o,a,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(r=e.__k)for(o=0;o<r.length;o++)r[o]&&(r[o].__=e,t=bt(r[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=X(e))&&!t.parentNode&&(t=null),a=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(a!=i&&(!s&&n.moveBefore&&a.parentNode?n.moveBefore(a,t):n.insertBefore(a,t||null)),t=a;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function dn(e,t,n,s){var r,o=e.key,a=e.type,i=t[n],c=i&&!(2&i.__u);if(i===null&&o==null||c&&o==i.key&&a==i.type)return n;if(s>(c?1:0)){for(r=n-1;r>=0;r--)if((i=t[r])&&!(2&i.__u)&&o==i.key&&a==i.type)return r;for(r=n+1;r<t.length;r++)if((i=t[r])&&!(2&i.__u)&&o==i.key&&a==i.type)return r}return-1}function pt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function fe(e,t,n,s,r){var o,a;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||pt(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||pt(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(a=De[t]||(De[t]=hn(t)),(e.__a||(e.__a={}))[t]=Re,o=t!=(t=t.replace($t,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,a,o):e.removeEventListener(t,a,o));else{if(r=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function hn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[_e]==null)t[_e]=Re++;else if(t[_e]<this.__a[e])return;return n(T.event?T.event(t):t)}}}function Ue(e,t,n,s,r,o,a,i,c,h){var l,f,$,p,d,w,_,v,g,k,C,U,z,q,L,M,O,y,m=t.type;if(t.constructor!==ce)return null;128&n.__u&&(c=32&n.__u,l=n.__c.__z)&&(t.__u|=c,f=o=[],l.nodeType==8?i=be(l,o):o.push(l),i=o[0]||i),(l=T.__b)&&l(t);e:if(typeof m=="function"){$=a.length;try{if(v=t.props,g=(l=m.prototype)&&l.render,k=(l=m.contextType)&&s[l.__c],C=l?k?k.props.value:l.__:s,(p=n.__c)?(t.__c=p,2&p.__g&&(p.__g|=1)):(g?t.__c=p=new m(v,C):(t.__c=p=new ge(v,C),p.constructor=m,p.render=mn),k&&k.sub(p),p.state||(p.state={}),p.__n=s,p.__g|=8,p.__h=[],p.__k=[]),g&&(p.__s||(p.__s=p.state),m.getDerivedStateFromProps&&(p.__s==p.state&&(p.__s=ee({},p.__s)),ee(p.__s,m.getDerivedStateFromProps(v,p.__s)))),d=p.props,w=p.state,p.__v=t,n.__c){if(v!==d&&g&&!m.getDerivedStateFromProps&&p.componentWillReceiveProps&&p.componentWillReceiveProps(v,C),t.__v==n.__v&&!(8&p.__g)||!(4&p.__g)&&p.shouldComponentUpdate&&p.shouldComponentUpdate(v,p.__s,C)===!1){t.__v!=n.__v&&(p.props=v,p.state=p.__s,p.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(b){b&&(b.__=t)}),we.push.apply(p.__h,p.__k),p.__k=[],p.__h.length&&a.push(p),i=X(n);break e}p.componentWillUpdate&&p.componentWillUpdate(v,p.__s,C),g&&p.componentDidUpdate&&p.__h.push(function(){p.componentDidUpdate(d,w,_)})}else g&&!m.getDerivedStateFromProps&&p.componentWillMount&&p.componentWillMount(),g&&p.componentDidMount&&p.__h.push(p.componentDidMount);p.context=C,p.props=v,p.__P=e,p.__g&=-5,U=T.__r,z=g?25:0;do p.__g&=-9,U&&U(t),l=p.render(p.props,p.state=p.__s,p.context);while(8&p.__g&&++z<25);g&&(we.push.apply(p.__h,p.__k),p.__k=[]),p.state=p.__s,p.getChildContext&&(s=ee({},s,p.getChildContext())),g&&n.__c&&p.getSnapshotBeforeUpdate&&(_=p.getSnapshotBeforeUpdate(d,w)),q=l&&l.type===xe&&l.key==null?l.props.children:l,v.__P&&(l=i,r=(e=v.__P).namespaceURI,c=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(b){b&&Be(b,b)}),n.__k=null),i=n.__k?X(n,0):null),i=gt(e,Ae(q)?q:[q],t,n,s,r,o,a,i,c,h),v.__P&&(t.__e=null,i=l),t.__u&=-161,f&&f.some(Z),p.__h.length&&a.push(p),1&p.__g&&(p.__g&=-4)}catch(b){if(a.length=$,t.__v=null,c||o)if(b&&b.then){if(t.__u|=128|c,o){for(~(O=o.indexOf(i||void 0))||(O=o.length);(y=o[O-1])&&y.nodeType==8;)O--;for(;O<o.length;O++)if(y=o[O])if(o[O]=null,L){if(y==M)break}else{if(y.nodeType!=8)break;y.data.startsWith("$s")&&(M=be(L=y))}}if(!L){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;L=i}(l=be(L=t.__c.__z||(t.__c.__z=L)))?(t.__e=L,i=l):t.__e=i,i=i&&i.nextSibling}else o&&o.some(Z);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),b&&b.then||vt(t),T.__e(b,t,n)}}else i=t.__e=$n(n.__e,t,n,s,r,o,a,c,h,e);return(l=T.diffed)&&l(t),i}function be(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function vt(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(vt))}function yt(e,t,n){for(var s=0;s<n.length;)Ie(n[s++],n[s++],n[s++]);T.__c&&T.__c(t,e),e.some(function(r){try{e=r.__h,r.__h=[],e.some(function(o){o.call(r)})}catch(o){T.__e(o,r.__v)}})}function $n(e,t,n,s,r,o,a,i,c,h){var l,f,$,p,d,w,_,v,g=n.props||ye,k=t.props,C=t.type;if(C=="svg"?r="http://www.w3.org/2000/svg":C=="math"?r="http://www.w3.org/1998/Math/MathML":r||(r="http://www.w3.org/1999/xhtml"),o){for(l=0;l<o.length;l++)if((d=o[l])&&(C?d.localName==C:d.nodeType==3)){e=d,o[l]=null;break}}if(!e){if(v=h.ownerDocument||document,!C)return v.createTextNode(k);e=v.createElementNS(r,C,k.is?k:h),i&&(T.__m&&T.__m(t,o),i=!1),o=null}if(C){if(h=C=="template"&&e.content||e,o=C=="textarea"&&k.defaultValue!=null?null:o&&He.call(h.childNodes),!i&&o)for(g={},l=0;l<e.attributes.length;l++)g[(d=e.attributes[l]).name]=d.value;for(l in g)d=g[l],l=="dangerouslySetInnerHTML"?$=d:l=="children"||l in k||l=="value"&&"defaultValue"in k||l=="checked"&&"defaultChecked"in k||fe(e,l,null,d,r);for(l in k)d=k[l],l=="children"?p=d:l=="dangerouslySetInnerHTML"?f=d:l=="value"?w=d:l=="checked"?_=d:i&&typeof d!="function"||g[l]===d||fe(e,l,d,g[l],r);f?(i||$&&(f.__html==$.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):($&&(e.textContent=""),(C=="foreignObject"||r=="http://www.w3.org/1998/Math/MathML"&&cn.test(C))&&(r="http://www.w3.org/1999/xhtml"),gt(h,Ae(p)?p:[p],t,n,s,r,o,a,o?o[0]:n.__k&&X(n,0),i,c),o&&o.some(Z)),i&&C!="textarea"||(l="value",C=="progress"&&w==null?e.removeAttribute(l):w==null||w===e[l]&&(C!="progress"||w)||fe(e,l,w,g[l],r),l="checked",_!=null&&_!=e[l]&&fe(e,l,_,g[l],r))}else g===k||i&&e.data==k||(e.data=k);return e}function Ie(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(r){T.__e(r,n)}}function Be(e,t,n){var s,r,o,a;if(T.unmount&&T.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||Ie(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){T.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(a=0;a<s.length;a++)s[a]&&Be(s[a],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(r=be(s,o=[]))&&(s==e.__e&&o.some(Z),Z(r),Z(s)),n||Z(e.__e),e.__e=e.__c=e.__=null}function mn(e,t,n){return this.constructor(e,n)}function We(e,t){var n,s,r,o;T.__&&T.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=le(xe,{children:[e]}),r=[],o=[],Ue(t,t.__k,s||ye,ye,t.namespaceURI,s?null:t.firstChild?He.call(t.childNodes):null,r,s?s.__e:t.firstChild,n,o),yt(r,t.__k,o),t.__k.props.children=null}T={__e:function(e,t,n,s){for(var r,o,a;t=t.__;)if((r=t.__c)&&!(1&r.__g)){r.__g|=4;try{if((a=(o=r.constructor)&&o.getDerivedStateFromError)&&r.setState(o.getDerivedStateFromError(e)),r.componentDidCatch&&(r.componentDidCatch(e,s||{}),a=1),a&&8&r.__g)return void(r.__g|=2)}catch(i){e=i}}throw ve=0,e}},dt=0,rn=function(e){return e!=null&&e.constructor===ce},ge.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=ee({},this.state)),typeof e=="function"&&(e=e(ee({},n),this.props)),e&&(ee(n,e),this.__v&&(t&&this.__k.push(t),ut(this)))},ge.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),ut(this))},ge.prototype.render=xe,G=[],ve=0,ht=function(e,t){return e.__v.__b-t.__v.__b},_e=Symbol(),$t=/(PointerCapture)$|Capture$/i,Re=0,De={},ln=0;var pe,R,ze,wt,qe=Object.is,ke=0,Et=[],Fe=[],D=T,xt=D.__b,kt=D.__r,Ct=D.diffed,Mt=D.__c,St=D.unmount,Pt=D.__;function Ke(e,t){D.__h&&D.__h(R,e,ke||t),ke=0;var n=R.__H||(R.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function x(e){return ke=1,fn(Lt,e)}function fn(e,t,n){var s=Ke(pe++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Lt(void 0,t),function(o){var a=(s.__N||s.__)[0],i=s.t(a,o);qe(a,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=R,!R.__f)){R.__f=!0;var r=R.shouldComponentUpdate;R.shouldComponentUpdate=function(o,a,i){var c=this.__H;if(!c)return!0;var h=!1,l=this.props!=o;if(c.__.some(function($){$.__N&&(h=!0,qe($.__[0],$.__N[0])||(l=!0))}),r){var f=r.call(this,o,a,i);return h?f||l:f}return!h||l}}return s.__}function P(e,t){var n=Ke(pe++,3);!D.__s&&Nt(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,R.__H.__h.push(n))}function I(e){return ke=5,Je(function(){return{current:e}},[])}function Je(e,t){var n=Ke(pe++,7);return Nt(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function _n(){var e;do{for(;e=Fe.shift();)try{ue(e)}catch(n){D.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=Et.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(ue),t.__h.some(Ve),t.__h=[]}catch(n){t.__h=[],D.__e(n,e.__v)}}}while(Fe.length)}D.__b=function(e){R=null,xt&&xt(e)},D.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Pt&&Pt(e,t)},D.__r=function(e){kt&&kt(e),pe=0;var t=(R=e.__c).__H;t&&(ze==R?R.__h=[]:(t.__h.some(ue),t.__h.some(Ve),pe=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),ze=R},D.diffed=function(e){Ct&&Ct(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Tt(Et.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),ze=R=null},D.__c=function(e,t){t.some(function(n){try{n.__h.some(ue),n.__h=n.__h.filter(function(s){return!s.__||Ve(s)})}catch(s){n.__h=[function(){throw s}]}}),Mt&&Mt(e,t)},D.unmount=function(e){St&&St(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(r){try{if(r.__P&&r.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}r.__P=n,Tt(Fe.push(r))}else ue(r)}catch(o){t=o}}),s.__H=void 0,t&&D.__e(t,s.__v))};var jt=typeof requestAnimationFrame=="function";function gn(e){var t,n=function(){clearTimeout(s),jt&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);jt&&(t=requestAnimationFrame(n))}function Tt(e){e!=1&&wt==D.requestAnimationFrame||((wt=D.requestAnimationFrame)||gn)(_n)}function ue(e){var t=R,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),R=t}function Ve(e){var t=R;e.__c=e.__(),R=t}function Nt(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!qe(n,e[s])})}function Lt(e,t){return typeof t=="function"?t(e):t}var Dt=function(e,t,n,s){var r;t[0]=0;for(var o=1;o<t.length;o++){var a=t[o++],i=t[o]?(t[0]|=a?1:2,n[t[o++]]):t[++o];a===3?s[0]=i:a===4?s[1]=Object.assign(s[1]||{},i):a===5?(s[1]=s[1]||{})[t[++o]]=i:a===6?s[1][t[++o]]+=i+"":a?(r=e.apply(i,Dt(e,i,n,["",null])),s.push(r),i[0]?t[0]|=2:(t[o-2]=0,t[o]=r)):s.push(i)}return s},Ot=new Map;function Rt(e){var t=Ot.get(this);return t||(t=new Map,Ot.set(this,t)),(t=Dt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,r,o=1,a="",i="",c=[0],h=function($){o===1&&($||(a=a.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,$,a):o===3&&($||a)?(c.push(3,$,a),o=2):o===2&&a==="..."&&$?c.push(4,$,0):o===2&&a&&!$?c.push(5,0,!0,a):o>=5&&((a||!$&&o===5)&&(c.push(o,0,a,r),o=6),$&&(c.push(o,$,0,r),o=6)),a=""},l=0;l<n.length;l++){l&&(o===1&&h(),h(l));for(var f=0;f<n[l].length;f++)s=n[l][f],o===1?s==="<"?(h(),c=[c],o=3):a+=s:o===4?a==="--"&&s===">"?(o=1,a=""):a=s+a[0]:i?s===i?i="":a+=s:s==='"'||s==="'"?i=s:s===">"?(h(),o=1):o&&(s==="="?(o=5,r=a,a=""):s==="/"&&(o<5||n[l][f+1]===">")?(h(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(h(),o=2):a+=s),o===3&&a==="!--"&&(o=4,c=c[0])}return h(),c})(e)),t),arguments,[])).length>1?t:t[0]}var u=Rt.bind(mt);var Y=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>Y.received.set(e,t);var Q=document.documentElement.dataset.root??"",F=e=>e.startsWith("data:image/")?e:Q+e.split("/").map(encodeURIComponent).join("/");function K(e){if(!Y.chunks.has(e)){let t=new Promise((n,s)=>{let r=document.createElement("script");r.src=F(`data/${e}.js`);let o=()=>{Y.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};r.onerror=o,r.onload=()=>{if(r.remove(),!Y.received.has(e))return o();n(Y.received.get(e)),Y.received.delete(e)},document.head.append(r)});Y.chunks.set(e,t)}return Y.chunks.get(e)}var Me=()=>K("site");function ae(e,t){let[n,s]=x({});return P(()=>{let r=!0;return e().then(o=>r&&s({value:o}),o=>r&&s({error:o})),()=>r=!1},t),[n.value,n.error]}var Ce=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function At(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function N(e,{replace:t=!1}={}){let n=At(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function bn(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function Ge(){let[e,t]=x(Ce);return P(()=>bn(()=>t(Ce())),[]),e}async function de(e){let{block:t}=await Me(),n=Math.floor(e/t),s=await K(`items-${String(n).padStart(3,"0")}`);return Xe(s,e)}function Xe(e,t){let n=t-e.start,s=r=>r?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function he({tile:e,size:t,label:n="",className:s=""}){if(!e)return u`<span class="tile missing ${s}" style=${{width:te(t),height:te(t)}}></span>`;let r=t/e.tile,o=e.index%e.columns*t,a=Math.floor(e.index/e.columns)*t,i={width:te(t),height:te(t),backgroundImage:`url("${F(e.atlas)}")`,backgroundPosition:`-${te(o)} -${te(a)}`,backgroundSize:`${te(e.columns*e.tile*r)} auto`};return u`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}function Ht({row:e,size:t=64}){let[n]=ae(()=>de(e),[e]);return u`<${he} tile=${n?.thumb} size=${t} label=${n?.name??""} />`}var Se=e=>`${F("image.html")}#id=${e}`,te=e=>`${Math.round(e*1e3)/1e3}px`;function S(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function W(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}async function vn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function A({text:e,children:t}){let[n,s]=x(!1);return u`<button type="button" class="quiet" onClick=${async()=>{await vn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}var Ye=()=>{document.body.dataset.ready="true"};async function Qe(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var je=async e=>Qe(await fetch(`${Q}api/${e}`)),J=async(e,t={})=>Qe(await fetch(`${Q}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function Ut(e){let t=new FormData;return t.append("photo",e,e.name||"pasted photo"),Qe(await fetch(`${Q}api/photos`,{method:"POST",body:t}))}async function H(e,t,n){let s=await J("answers",{model:e,task:t,arguments:n});if(s.status!=="done")throw new Error(s.error||`the job was ${s.status}`);return s}async function Te(e,t,n,s){let r=await J("jobs",{model:e,task:t,arguments:n}),o=new EventSource(`${Q}api/jobs/${r.id}/events`);o.addEventListener("progress",i=>s(JSON.parse(i.data)));let a=!1;return o.addEventListener("end",i=>{a=!0,s(JSON.parse(i.data))}),o.onerror=()=>{o.close(),a||s({...r,status:"failed",error:"the connection to the server was lost"})},s(r),r.id}var It=e=>J(`jobs/${e}/cancel`),Pe=new Map;function Ee(e){if(!Pe.has(e)){let t=H(e,"model",{}).then(n=>n.result);t.catch(()=>Pe.delete(e)),Pe.set(e,t)}return Pe.get(e)}async function Bt(e){let t=await fetch(e);if(!t.ok)throw new Error("the numbers of the map are no longer kept: run it again");return new Float32Array(await t.arrayBuffer())}var Ze=60;function Wt({photo:e,site:t,pages:n,onOpen:s,onError:r}){let o=I(),[a,i]=x(!1),[c,h]=x(!1),l=async p=>{h(!0);try{s(await p),r(null)}catch(d){r(d)}h(!1)},f=p=>{let d=[...p??[]].find(w=>w.size);d&&l(Ut(d))};P(()=>{let p=d=>d.clipboardData?.files?.length&&f(d.clipboardData.files);return document.addEventListener("paste",p),()=>document.removeEventListener("paste",p)},[]);let $=(p,d)=>{p.preventDefault(),i(d)};return u`<section class="card" aria-label="Photo">
    <div
      class="drop ${a?"over":""} ${e?"":"empty"}"
      onDragOver=${p=>$(p,!0)}
      onDragLeave=${p=>$(p,!1)}
      onDrop=${p=>{$(p,!1),f(p.dataTransfer.files)}}
    >
      ${e?u`<img src=${`api/photos/${e.id}.jpg`} alt=${e.name} class=${e.width<=64?"crisp":""} />`:u`<p><b>Drop a photo here</b><br /><span class="muted">or paste it, or choose one below</span></p>`}
    </div>
    ${e&&u`<p class="photo-name"><b>${e.name}</b> <span class="muted">${e.width} × ${e.height}</span></p>`}
    <div class="bar-of-controls">
      <button type="button" onClick=${()=>o.current.click()} disabled=${c}>
        ${c?"Opening…":"Choose a file"}
      </button>
      <input ref=${o} type="file" accept="image/*" class="offscreen" aria-label="Photo file" tabindex="-1"
        onChange=${p=>{f(p.target.files),p.target.value=""}} />
    </div>
    <${yn} site=${t} pages=${n} chosen=${e?.row} onChoose=${p=>l(J("rows",{row:p}))} />
  </section>`}function yn({site:e,pages:t,chosen:n,onChoose:s}){let[r,o]=x([]),[a,i]=x(""),c=e?.count??0;P(()=>{c&&K("items-000").then(d=>o([d]),()=>{})},[c]);let h=Je(()=>r.flatMap(d=>d.names.map((w,_)=>Xe(d,d.start+_))),[r]),l=async()=>{let d=await K(`items-${String(r.length).padStart(3,"0")}`);o([...r,d])};if(t&&!c)return u`<p class="muted small" role="status">The images of the run appear here when its pages have been written.
      ${t.progress.total?` ${Math.round(100*t.progress.done/t.progress.total)} %`:""}</p>`;if(!c)return null;let f=a.toLowerCase().split(/\s+/).filter(Boolean),$=d=>`${d.name} ${e.classes[d.label]??""} ${e.outputs[d.predicted]??""}`.toLowerCase(),p=h.filter(d=>f.every(w=>$(d).includes(w)));return u`<div class="picker">
    <input type="search" value=${a} placeholder=${`Search ${c} images of the run`} aria-label="Search the images of the run"
      onInput=${d=>i(d.target.value)} />
    <div class="thumbs" tabindex="-1">
      ${p.slice(0,Ze).map(d=>u`<button type="button" key=${d.row} aria-pressed=${d.row===n}
          title=${d.name} aria-label=${d.name} onClick=${()=>s(d.row)}><${he} tile=${d.thumb} size=${52} /></button>`)}
    </div>
    <p class="small muted">${p.length} of ${h.length}${p.length>Ze?`, the first ${Ze} shown`:""}
      ${h.length<c&&u` <button type="button" class="quiet" onClick=${l}>Load more</button>`}</p>
  </div>`}function zt(e,t,n){let[s,r]=x(null);return P(()=>{let o=!0;return r(null),t&&H(e,"predict",{photo:t.id}).then(a=>o&&r(a),a=>o&&n(a)),()=>o=!1},[e,t?.id]),s}function Ne({classes:e,chosen:t,onChoose:n,caption:s}){return u`<ol class="classes" aria-label=${s}>
    ${e.map(r=>{let o=r.probability??0;return u`<li key=${r.index}>
        <button type="button" aria-pressed=${t===r.label} disabled=${!n} onClick=${()=>n?.(r.label)}>
          <span class="name">${r.label}</span>
          <span class="value">${r.probability===null?S(r.score):W(o)}</span>
          <span class="bar" aria-hidden="true"><i style=${{width:`${100*o}%`}}></i></span>
        </button>
      </li>`})}
  </ol>`}var wn=12;function qt(e){let t=(e??"").split(",").map(Number);return t.length===4&&t.every(Number.isInteger)?t:null}function Ft({model:e,photo:t,state:n,job:s,onError:r}){let o=I(),[a,i]=x(null),[c,h]=x(null),[l,f]=x(null),[$,p]=x([]),[d,w]=x(""),_=I(0),v=c?.box??qt(n.box),g=n.target??"",k=async m=>{let b=++_.current,j=performance.now();try{let{result:E}=await H(e,"cover",{photo:t.id,box:m,target:g});if(b!==_.current)return;let B=performance.now()-j;f({...E,box:m,latency:B}),p(V=>[{...E,box:m},...V.filter(me=>me.box.join()!==m.join())].slice(0,wn)),r(null)}catch(E){b===_.current&&r(E)}};if(P(()=>{f(null),p([])},[t?.id,e,g]),P(()=>{t&&s&&H(e,"prepare_cover",{photo:t.id}).catch(r)},[t?.id,e,!!s]),P(()=>{let m=qt(n.box);t&&a&&m&&k(m)},[t?.id,e,g,n.box,!!a]),!t)return u`<p class="card muted">Choose a photo first.</p>`;if(!s)return u`<p class="card muted" role="status">Running the model…</p>`;let C=m=>{let b=o.current.getBoundingClientRect(),j=(E,B)=>Math.round(Math.min(1,Math.max(0,E))*B);return[j((m.clientX-b.left)/b.width,a[0]),j((m.clientY-b.top)/b.height,a[1])]},U=([m,b],[j,E])=>{let B=Math.min(m,j,a[0]-1),V=Math.min(b,E,a[1]-1);return[B,V,Math.max(m,j,B+1),Math.max(b,E,V+1)]},z=m=>{if(m.button!==0||!a)return;m.preventDefault(),o.current.focus(),o.current.setPointerCapture(m.pointerId);let b=C(m);h({from:b,box:U(b,b)})},q=m=>c&&h({...c,box:U(c.from,C(m))}),L=m=>{if(!c)return;let b=U(c.from,C(m));h(null),b.join()===n.box&&k(b),N({box:b.join()})},M=m=>{let b={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]};if(!b[m.key]||!a)return;m.preventDefault();let j=Math.max(1,Math.round(a[0]/32)),[E,B]=b[m.key].map(an=>an*j),[V,me,ot,at]=v??[a[0]*.375,a[1]*.375,a[0]*.625,a[1]*.625].map(Math.round),oe=m.shiftKey?[V,me,ot+E,at+B]:[V+E,me+B,ot+E,at+B],rt=Math.max(1,Math.min(a[0],oe[2]-oe[0])),it=Math.max(1,Math.min(a[1],oe[3]-oe[1])),lt=Math.min(a[0]-rt,Math.max(0,oe[0])),ct=Math.min(a[1]-it,Math.max(0,oe[1]));N({box:[lt,ct,lt+rt,ct+it].join()},{replace:!0})},O=()=>Te(e,"prepare_cover",{photo:t.id,exports:!0},m=>{w(m.status==="running"||m.status==="queued"?"preparing…":m.result?.reason||m.error||"ready")}).catch(r),y=([m,b,j,E])=>({left:`${100*m/a[0]}%`,top:`${100*b/a[1]}%`,width:`${100*(j-m)/a[0]}%`,height:`${100*(E-b)/a[1]}%`});return u`<div class="split">
    <section class="card">
      <h2>Cover a part of the photo</h2>
      <p class="note">Drag a rectangle. It is filled with the mean colour, and the score is computed exactly.
        With the keyboard: arrows move it, <kbd>Shift</kbd> and arrows resize it.</p>
      <div class="cover-stage" ref=${o} tabindex="0" role="application" aria-label="Photo: drag a rectangle, or use the arrow keys"
        onPointerDown=${z} onPointerMove=${q} onPointerUp=${L} onPointerCancel=${()=>h(null)} onKeyDown=${M}>
        <img src=${s.files["photo.png"]} alt=${t.name} draggable=${!1}
          class=${a&&a[0]<=64?"crisp":""} onLoad=${m=>i([m.target.naturalWidth,m.target.naturalHeight])} />
        ${a&&v&&u`<span class="rectangle" style=${y(v)}></span>`}
      </div>
    </section>
    <section class="card stack" aria-live="polite">
      <h2>Score</h2>
      ${l?u`<${xn} answer=${l} />`:u`<p class="muted">No rectangle yet.</p>`}
      ${l&&u`<div><h3>Most probable classes with it covered</h3><${Ne} classes=${l.top} caption="Classes with the rectangle covered" /></div>
        <p class="small muted" id="latency" data-latency=${l.latency} data-seconds=${l.seconds} data-pass=${l.full_pass}>
          ${`${Math.round(l.latency)} ms from the mouse to the number; `}
          ${l.incremental?"only what the rectangle changes was computed":"one full forward pass"}
          ${` in ${S(1e3*l.seconds,2)} ms (a full pass: ${S(1e3*l.full_pass,2)} ms). `}
          ${l.may_be_faster&&!d&&u`<button type="button" class="quiet" onClick=${O}>Prepare the incremental engine</button>`}
          ${d&&u`<span role="status"> Incremental engine: ${d}.</span>`}</p>
        <p class="actions"><${A} text=${l.python}>Copy Python</${A}></p>`}
      ${$.length>1&&u`<div><h3>Rectangles so far</h3><ol class="history">${[...$].sort((m,b)=>m.after-b.after).map(m=>u`<li key=${m.box.join()}>
        <button type="button" class="quiet" onClick=${()=>N({box:m.box.join()})}>${m.box.join(", ")}</button>
        <span class="number">${Vt(m.after-m.before)}</span></li>`)}</ol></div>`}
    </section>
  </div>`}var Vt=e=>`${e<0?"−":"+"}${S(Math.abs(e),3)}`;function xn({answer:e}){let t=e.after-e.before;return u`<dl class="facts score-facts">
    <div><dt>${e.label}: score</dt><dd id="covered-score">${S(e.after,4)} <span class=${t<0?"down":"up"}>${Vt(t)}</span></dd></div>
    <div><dt>Unchanged photo</dt><dd>${S(e.before,4)}</dd></div>
    ${e.probability_after!==null&&u`<div><dt>Probability</dt><dd>${W(e.probability_before)} → ${W(e.probability_after)}</dd></div>`}
  </dl>`}function kn(e){let t=(e.anyOf??[e]).filter(n=>n.type!=="null");return t.length===1?{...e,...t[0]}:{}}function Cn({field:e,value:t,onChange:n,layers:s}){let r=kn(e.schema),o=`parameter-${e.name}`,a={id:o,"aria-describedby":`${o}-about`,onChange:h=>n(h.target.value)},i=`default: ${e.default}`,c;if(r.enum||r.type==="boolean"){let h=r.enum??["true","false"];c=u`<select ...${a} value=${t}>
      <option value="">${i}</option>
      ${h.map(l=>u`<option value=${String(l)}>${String(l)}</option>`)}
    </select>`}else if(r.type==="integer"||r.type==="number"){let h=r.type==="integer"?1:"any",l=r.minimum??r.exclusiveMinimum,f=r.maximum??r.exclusiveMaximum;c=u`<input type="number" ...${a} value=${t} placeholder=${i} step=${h} min=${l} max=${f} />`}else{let h=["layer","layers"].includes(e.name)?"layer-names":void 0;c=u`<input type="text" ...${a} value=${t} placeholder=${i} list=${h} />`}return u`<div class="parameter">
    <label for=${o}>${e.name}</label>
    ${c}
    <p id=${`${o}-about`} class="small muted">${e.description} <span class="allowed">${e.allowed}</span></p>
  </div>`}function Kt({explainer:e,values:t,onChange:n,layers:s}){let r=Object.keys(t).length,[o,a]=x(r>0);return u`<details class="parameters" open=${o} onToggle=${i=>a(i.currentTarget.open)}>
    <summary>Parameters of ${e.name}${r?` (${r} changed)`:""}</summary>
    <datalist id="layer-names">${s.map(i=>u`<option value=${i.name}></option>`)}</datalist>
    <div class="grid-of-parameters">
      ${e.fields.map(i=>u`<${Cn} key=${`${e.name}.${i.name}`} field=${i} layers=${s}
        value=${t[i.name]??""} onChange=${c=>n(i.name,c)} />`)}
    </div>
  </details>`}var Jt=255,Gt=e=>e.match(/../g).map(t=>parseInt(t,16));function Mn(e,t,n,s,r){let{width:o,height:a}=t;e.width=o,e.height=a;let i=new ImageData(o,a),c=Gt(t.colours),h=c.length/3-1,[l,f]=s;for(let $=0;$<n.length;$++){let p=n[$];if(Number.isNaN(p))continue;let d=Math.min(1,Math.max(0,(p-l)/(f-l||1))),w=3*Math.round(d*h);i.data.set(c.slice(w,w+3),4*$);let _=t.signed?Math.min(1,Math.abs(p)/f):d;i.data[4*$+3]=r?Math.round(Jt*_):Jt}e.getContext("2d").putImageData(i,0,0)}function ne({photo:e,map:t,mapFile:n,imageFile:s,view:r,range:o,cursor:a,onCursor:i,onPick:c,label:h,children:l}){let f=I(),[$,p]=x(null);P(()=>{let k=!0;return p(null),Bt(n).then(C=>k&&p(C),()=>{}),()=>k=!1},[n]);let d=o??[t.low,t.high];P(()=>{!$||s||Mn(f.current,t,$,d,r.layer==="overlay")},[$,r.layer,d[0],d[1]]);let w=k=>{let C=k.currentTarget.getBoundingClientRect(),U=z=>Math.min(.9999,Math.max(0,z));return[U((k.clientX-C.left)/C.width),U((k.clientY-C.top)/C.height)]},_=$&&a?$[et(t,a).index]:null,v={opacity:r.layer==="photo"?0:r.layer==="map"?1:r.opacity,imageRendering:r.smooth?"auto":"pixelated"},g=s?u`<img class="over" src=${s} alt="" style=${v} />`:u`<canvas class="over" ref=${f} style=${v}></canvas>`;return u`<div class="map-view">
    <div
      class="map-stage ${c?"pickable":""}"
      onPointerMove=${k=>i(w(k))}
      onPointerLeave=${()=>i(null)}
      onClick=${c&&(k=>c(et(t,w(k))))}
    >
      <img src=${e} alt=${h} />
      ${g}
      ${a&&u`<span class="cross-x" style=${{left:`${a[0]*100}%`}}></span>
        <span class="cross-y" style=${{top:`${a[1]*100}%`}}></span>`}
      ${l}
    </div>
    <${Pn} map=${t} range=${d} hidden=${!!s} />
    <p class="readout" aria-live="off">
      ${a&&$?u`<b>${S(_,4)}</b> ${t.unit} at ${Sn(t,a)}`:u`<span class="muted">${t.unit}</span>`}
    </p>
  </div>`}function et(e,[t,n]){let s=Math.floor(t*e.width),r=Math.floor(n*e.height);return{row:r,column:s,index:r*e.width+s}}function Sn(e,t){let{row:n,column:s}=et(e,t);return`row ${n}, column ${s}`}function Pn({map:e,range:t,hidden:n}){let s=I();if(P(()=>{if(n)return;let o=Gt(e.colours),a=o.length/3,i=new ImageData(a,1);for(let c=0;c<a;c++)i.data.set([...o.slice(3*c,3*c+3),255],4*c);s.current.width=a,s.current.height=1,s.current.getContext("2d").putImageData(i,0,0)},[e.colours,n]),n)return u`<p class="legend-words">Mid-grey is zero; a tint shows which channels are above or below zero.</p>`;let r=e.signed?`${S(t[0])} blue, 0 white, ${S(t[1])} red`:`${S(t[0])} dark, ${S(t[1])} bright`;return u`<div class="legend" role="img" aria-label=${`Colours: ${r}`}>
    <span>${S(t[0])}</span><canvas ref=${s}></canvas><span>${S(t[1])}</span>
  </div>`}var jn=24,Tn=0;function En(e){let[t,n]=x(null);return P(()=>{H(0,"explainers",{}).then(r=>n(r.result),e)},[]),[t,async r=>{try{let{result:o}=await H(0,"explainers",{family:r});n(a=>({...a,explainers:[...a.explainers,...o.explainers],families:a.families.filter(i=>i!==r)}))}catch(o){e(o)}}]}var Nn=e=>Object.fromEntries(Object.entries(e).filter(([t])=>t.startsWith("p.")).map(([t,n])=>[t.slice(2),n]));function Xt({models:e,model:t,photo:n,state:s,prediction:r,onError:o}){let[a,i]=En(o),[c,h]=x(null),[l,f]=x([]),[$,p]=x({layer:"overlay",opacity:.8,smooth:!1,shared:!1}),[d,w]=x(!1),[_,v]=x(null);if(P(()=>{Ee(t).then(h,o)},[t]),P(()=>{let y=j=>j.target.matches?.("input, textarea, select, button, summary, a"),m=j=>{j.key!==" "||y(j)||(j.preventDefault(),w(!0))},b=j=>j.key===" "&&w(!1);return document.addEventListener("keydown",m),document.addEventListener("keyup",b),()=>{document.removeEventListener("keydown",m),document.removeEventListener("keyup",b)}},[]),!a)return u`<p class="card muted" role="status">Loading the model and its explainers…</p>`;let g=a.explainers.find(y=>y.name===s.explainer)??a.explainers.find(y=>y.name==="occlusion")??a.explainers[0],k=Nn(s),C=(y,m)=>f(b=>b.map(j=>j.key===y?{...j,...m}:j)),U=async(y,m)=>{let b=++Tn,j={key:b,model:y,explainer:g.name,photo:n,target:m,job:null};f(E=>[j,...E].slice(0,jn));try{let E=g.needs_image,B={explainer:g.name,parameters:k,target:m,photo:E?n.id:null};await Te(y,"explain",B,V=>C(b,{job:V}))}catch(E){C(b,{job:{status:"failed",error:E.message,progress:{}}})}},z=y=>{y.preventDefault();let m=s.run==="classes"&&r?r.map(j=>String(j.index)).slice(0,3):[s.target??""],b=s.run==="models"?e.map((j,E)=>E):[t];for(let j of b)for(let E of m)U(j,E)},q=tt(a.explainers,y=>y.distribution),L=g.needs_image&&!n,M=d?{...$,layer:"photo"}:$,O=$.shared?Ln(l):new Map;return u`<div class="stack">
    <form class="card explain-form" onSubmit=${z}>
      <div class="bar-of-controls">
        <label class="field">Explainer
          <select name="explainer" value=${g.name} onChange=${y=>{if(y.target.value.startsWith("+"))return i(y.target.value.slice(1));let m=Object.fromEntries(Object.keys(k).map(b=>[`p.${b}`,null]));return N({...m,explainer:y.target.value})}}>
            ${[...q].map(([y,m])=>u`<optgroup label=${y}>
              ${m.map(b=>u`<option value=${b.name}>${b.name}</option>`)}</optgroup>`)}
            ${a.families.length>0&&u`<optgroup label="load more">
              ${a.families.map(y=>u`<option value=${`+${y}`}>${y}.…</option>`)}</optgroup>`}
          </select></label>
        ${g.uses_target&&u`<label class="field">Target
          <input type="text" name="target" list="targets" value=${s.target??""} placeholder="the most probable class"
            onChange=${y=>N({target:y.target.value})} /></label>
          <datalist id="targets">${(c?.labels??[]).slice(0,2e3).map(y=>u`<option value=${y}></option>`)}</datalist>`}
        ${g.uses_target&&u`<label class="field">Run for
          <select name="run" value=${s.run??""} onChange=${y=>N({run:y.target.value})}>
            <option value="">this target</option>
            <option value="classes">the three most probable classes</option>
            ${e.length>1&&u`<option value="models">all models</option>`}
          </select></label>`}
        <button type="submit" class="primary" disabled=${L}>Run</button>
        ${L&&u`<span class="muted small">Choose a photo first.</span>`}
      </div>
      <p class="note">${g.summary} <span class="badge">${g.distribution||"this session"}</span>
        ${g.needs_run&&u` Write <code>@run</code> for the run that is open.`}</p>
      <${Kt} explainer=${g} values=${k} layers=${c?.layers??[]}
        onChange=${(y,m)=>N({[`p.${y}`]:m})} />
    </form>
    ${Object.entries(a.unavailable).map(([y,m])=>u`<p class="note">${y}: ${m}</p>`)}
    ${l.length>0&&u`<${On} view=${$} onChange=${p} count=${l.length} onClear=${()=>f([])} />`}
    <div class="cards" role="list" aria-label="Results">
      ${l.map(y=>u`<${Dn} key=${y.key} card=${y} models=${e} view=${M}
        range=${O.get(y.key)} cursor=${_} onCursor=${v} onError=${o}
        onRemove=${()=>f(m=>m.filter(b=>b.key!==y.key))} />`)}
    </div>
    <${Un} cards=${l} />
  </div>`}function tt(e,t){let n=new Map;for(let s of e){let r=t(s)||"this session";n.set(r,[...n.get(r)??[],s])}return n}function Ln(e){let t=e.filter(s=>s.job?.result?.map&&!s.job.files["map.png"]),n=new Map;for(let[,s]of tt(t,r=>`${r.job.result.map.unit}|${r.job.result.map.signed}`)){let r=Math.min(...s.map(a=>a.job.result.map.low)),o=Math.max(...s.map(a=>a.job.result.map.high));for(let a of s)n.set(a.key,[r,o])}return n}function On({view:e,onChange:t,count:n,onClear:s}){let r=a=>t({...e,...a}),o=(a,i)=>u`<button type="button" aria-pressed=${e.layer===a} onClick=${()=>r({layer:a})}>${i}</button>`;return u`<div class="bar-of-controls view-controls" role="group" aria-label="View of the maps">
    <span class="joined">${o("overlay","Over photo")}${o("map","Map")}${o("photo","Photo")}</span>
    <label class="field">Opacity <input type="range" min="0" max="1" step="0.05" value=${e.opacity}
      onInput=${a=>r({opacity:Number(a.target.value)})} /></label>
    <label class="field"><input type="checkbox" checked=${e.smooth} onChange=${a=>r({smooth:a.target.checked})} /> Smooth</label>
    <label class="field"><input type="checkbox" checked=${e.shared} onChange=${a=>r({shared:a.target.checked})} /> One scale per unit</label>
    <span class="muted small">Hold <kbd>Space</kbd> for the photo alone.</span>
    <button type="button" class="quiet" onClick=${s}>Remove all ${n}</button>
  </div>`}function Dn({card:e,models:t,view:n,range:s,cursor:r,onCursor:o,onRemove:a,onError:i}){let{job:c,explainer:h}=e,l=c?.result,f=l?.targets?.[0],$=u`<header class="card-head">
    <h2>${h}${l?.layer?u` <span class="muted">${l.layer}</span>`:""}</h2>
    <button type="button" class="quiet" aria-label=${`Remove ${h}`} onClick=${a}>✕</button>
    <p class="small muted">
      ${f&&u`<b>${f.label}</b> ${f.quantity} ${S(f.score,4)} · `}
      ${t.length>1&&u`${t[e.model].name} · `}${e.photo?.name??""}
      ${l&&u` · ${S(l.seconds,2)} s`}</p>
  </header>`;return u`<article class="card result" role="listitem" data-status=${c?.status??"starting"}>
    ${$}<${Rn} card=${e} view=${n} range=${s} cursor=${r} onCursor=${o} onError=${i} />
  </article>`}function Rn({card:e,view:t,range:n,cursor:s,onCursor:r,onError:o}){let{job:a}=e;if(!a||a.status==="queued"||a.status==="running"){let{description:l,done:f,total:$}=a?.progress??{};return u`<div class="running" role="status">
      <progress max=${$||void 0} value=${$?f:void 0}></progress>
      <p class="small muted">${a?.status==="running"?l||"computing":"waiting for the model"}
        ${$?` ${Math.round(f)} of ${Math.round($)}`:""}</p>
      ${a?.id&&u`<button type="button" onClick=${()=>It(a.id).catch(o)}>Cancel</button>`}
    </div>`}if(a.status==="cancelled")return u`<p class="muted" role="status">Cancelled.</p>`;if(a.status==="failed")return u`<p class="problem" role="alert">${a.error}</p>`;let{result:i,files:c}=a,h=i.map&&c["photo.png"];return u`
    ${h?u`<${ne} photo=${c["photo.png"]} map=${i.map} mapFile=${c["values.bin"]} imageFile=${c["map.png"]}
          view=${t} range=${n} cursor=${s} onCursor=${r} label=${e.photo?.name??""} />`:u`<${An} pictures=${i.pictures} files=${c} />`}
    ${i.notes.map(l=>u`<p class="note">${l}</p>`)}
    ${i.map?.note&&u`<p class="note">${i.map.note}</p>`}
    <details class="small"><summary>Numbers and parameters</summary>
      <dl class="pairs">${i.measures.map(([l,f])=>u`<div><dt>${l}</dt><dd>${f}</dd></div>`)}
        ${Object.entries(i.parameters).map(([l,f])=>u`<div><dt>${l}</dt><dd>${f}</dd></div>`)}</dl>
    </details>
    <${Hn} card=${e} onError=${o} />`}function An({pictures:e,files:t}){let n=s=>u`<figure key=${s.file}>
    <a href=${t[s.file]} target="_blank" rel="noopener"><img class="picture" src=${t[s.file]} alt=${s.caption} /></a>
    <figcaption class="small muted">${s.caption}</figcaption></figure>`;return u`${e.slice(0,1).map(n)}
    ${e.length>1&&u`<details><summary>${e.length-1} further pictures</summary>${e.slice(1).map(n)}</details>`}`}function Hn({card:e,onError:t}){let{result:n,files:s}=e.job,r=async o=>{try{let a=await H(e.model,"draw",{result:n.result,format:o}),[[i,c]]=Object.entries(a.files),h=document.createElement("a");h.href=c,h.download=`${e.explainer}-${i}`,h.click()}catch(a){t(a)}};return u`<p class="actions">
    <${A} text=${n.python}>Copy Python</${A}>
    <${A} text=${n.shell}>Copy shell</${A}>
    ${["png","svg","pdf"].map(o=>u`<button type="button" class="quiet" onClick=${()=>r(o)}>${o.toUpperCase()}</button>`)}
    ${s["values.bin"]&&u`<a class="quiet button" href=${s["values.bin"]} download=${`${e.explainer}.f32`} title="float32, row by row">Numbers</a>`}
  </p>`}function Un({cards:e}){let[t,n]=x(null),r=[...tt(e.filter(c=>c.job?.status==="done"&&c.job.result.map),c=>`${c.model}|${c.photo?.id}`).values()].find(c=>c.length>1)?.slice(0,6).reverse()??[],o=r.map(c=>c.job.result.result).join(),a=I(o);if(a.current=o,P(()=>{n(null),!(r.length<2)&&H(r[0].model,"agreement",{results:o.split(",")}).then(c=>a.current===o&&n(c.result.pairs),()=>{})},[o]),!t)return null;let i=c=>`${r[c].explainer}${r[c].job.result.targets[0]?`, ${r[c].job.result.targets[0].label}`:""}`;return u`<section class="card"><h2>Agreement of the maps</h2>
    <div class="scroll"><table><thead><tr><th>maps</th><th class="number">rank correlation</th><th class="number">overlap of the strongest tenth</th></tr></thead>
    <tbody>${t.map(c=>u`<tr><th>${i(c.pair[0])} — ${i(c.pair[1])}</th>
      ${c.reason?u`<td colspan="2" class="muted">${c.reason}</td>`:u`<td class="number">${S(c.rank_correlation,2)}</td><td class="number">${W(c.overlap)}</td>`}</tr>`)}
    </tbody></table></div></section>`}function Yt({model:e,photo:t,site:n,state:s,onError:r}){let[o,a]=x(null),i=Math.min(100,Math.max(1,Number(s.k)||12));if(P(()=>{let l=!0;a(null);let f=s.near||null;return t&&H(e,"neighbours",{photo:t.id,k:i,layer:f}).then($=>l&&a($),$=>l&&(r($),a({failed:!0}))),()=>l=!1},[e,t?.id,i,s.near]),!t)return u`<p class="card muted">Choose a photo first.</p>`;if(!o)return u`<p class="card muted" role="status">Searching the run…</p>`;if(o.failed)return null;let{result:c}=o,h=(n?.count??0)>0;return u`<section class="card">
    <div class="head"><h2>Nearest images of the run</h2><span class="sub">${c.unit} of ${c.layer}</span>
      ${c.layers.length>1&&u`<label class="field">Features of <select name="near" value=${c.layer} onChange=${l=>N({near:l.target.value})}>
        ${c.layers.map(l=>u`<option key=${l} value=${l}>${l}</option>`)}</select></label>`}
      <label class="field">Show <input type="number" min="1" max="100" value=${i} onChange=${l=>N({k:l.target.value})} /></label>
      <${A} text=${c.python}>Copy Python</${A}></div>
    <ol class="neighbours">${c.found.map(l=>u`<li key=${l.id}>
      <a href=${h&&l.row!==null?Se(l.row):`#row=${l.row}&mode=neighbours`}>
        ${h&&l.row!==null?u`<${Ht} row=${l.row} size=${112} />`:u`<span class="tile missing"></span>`}
        <span class="name">${h&&l.row!==null?u`<${In} row=${l.row} site=${n} />`:l.class??l.id}</span></a>
      <span class="small muted">${S(l.distance,3)}</span>
      <button type="button" class="quiet small" onClick=${()=>N({row:l.row})} disabled=${l.row===null}>Open</button></li>`)}</ol>
  </section>`}function In({row:e,site:t}){let[n]=ae(()=>de(e),[e]);return u`${n?t.classes[n.label]??n.name:""}`}var Bn=64,se=e=>`${(100*e).toFixed(3)}%`;function Qt([e,t],n){let[s,r,o,a]=n??[0,0,t,e],i=Math.max(o-s,a-r),c=(s+o-i)/2,h=(r+a-i)/2;return{width:t/i,height:e/i,left:-c/i,top:-h/i}}var Wn=([e,t],[n,s,r,o])=>({left:n/t,top:s/e,width:(r-n)/t,height:(o-s)/e}),nt=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,se(n)]));function zn(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=se((1-(e[2]-e[0])/t)/2);return`inset(${se((1-(e[3]-e[1])/t)/2)} ${n})`}function qn({patch:e,mode:t,guided:n,alt:s}){let{image:r,box:o}=e;if(t==="guided"&&n){let c={width:se(n.columns),height:se(n.rows),left:se(-n.rank),top:se(-n.row)};return u`<img src=${F(n.atlas)} alt=${s} style=${c} />`}if(!r?.preview&&r?.thumb)return u`<${he} tile=${r.thumb} size=${Bn} label=${s} className="centered" />`;if(!r?.preview)return u`<span class="no-photo">${r?"photo not available":"not in this report"}</span>`;let a=Math.max(...r.size)<=64?"crisp":"";if(t==="whole"||!o)return u`<span class="photo" style=${nt(Qt(r.size,null))}>
      <img class=${a} src=${F(r.preview)} alt=${s} />
      ${o&&u`<span class="box" style=${nt(Wn(r.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":a;return u`<span class="window" style=${{clipPath:zn(o)}}>
    <img class=${i} src=${F(r.preview)} alt=${s} style=${nt(Qt(r.size,o))} /></span>`}function st({patch:e,rank:t,mode:n,site:s,guided:r,isMeant:o,isLoading:a}){let{image:i}=e,c=i?.label===null||i?.label===void 0?"":s.classes[i.label],h=i?.name??"",l=c||h,f=i&&s.has.images?Se(i.row):null,$=`top ${t+1}: ${l}, activation ${S(e.value)}`,p=u`<span class="frame">${!a&&u`<${qn} ...${{patch:e,mode:n,guided:r,alt:$}} />`}</span>`;return u`<figure class=${o?"":"faded"}>
    ${f?u`<a href=${f} title=${h}>${p}</a>`:u`<span title=${h}>${p}</span>`}
    <figcaption><b>${S(e.value)}</b> <span title=${l}>${l}</span>
      ${i?.correct===!1&&u`<span class="badge bad" title=${`predicted: ${s.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Vn=130,Hs=Vn-22;var Kn=(e,t)=>String(Math.floor(e/t)).padStart(3,"0");async function Zt(e,t,n,s="units"){let o=(await K(`layer/${e}/${s}-${Kn(t,n.block)}`))[t%n.block],a=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await de(i.row)})));return{...o,patches:a}}var re=420,Le=96,$e=Le-20;function en({place:e}){if(!e)return null;if(e.problem)return u`<p class="problem">${e.problem}</p>`;let{value:t,rank:n,best:s,images:r,histogram:o}=e,a=n<=s.length?`place ${n} among the ${s.length} top patches of the ${r} images`:`below the ${s.length} top patches of the ${r} images, which reach from ${S(s.at(-1))} to ${S(s[0])}`;return u`<div class="place-in-run">
    <p>In the run this photo (${S(t,4)}) would be <b>${a}</b>.</p>
    ${o&&u`<${Jn} ...${o} value=${t} />`}
  </div>`}function Jn({edges:e,counts:t,below:n,not_above:s,value:r}){let o=Math.log10(Math.max(...t)+1),a=re/t.length,[i,c]=[e[0],e.at(-1)],h=Math.min(re-1.5,Math.max(1.5,re*(r-i)/(c-i||1))),f=`${n===s?W(n):`${W(n)} to ${W(s)}`} of the images have a lower maximum than ${S(r)}`;return u`<svg class="histogram" viewBox="0 0 ${re} ${Le}" role="img" aria-label=${f}>
      ${t.map(($,p)=>{let d=$?Math.max(1.5,($e-8)*Math.log10($+1)/o):0;return u`<rect key=${p} class="fires" x=${p*a+.5} y=${$e-d} width=${Math.max(.5,a-1)} height=${d} />`})}
      <line x1="0" x2=${re} y1=${$e+.5} y2=${$e+.5} />
      <line class="mark" x1=${h} x2=${h} y1="0" y2=${$e} />
      <text x="0" y=${Le-5}>${S(i)}</text>
      <text x=${re} y=${Le-5} text-anchor="end">${S(c)}</text>
    </svg>
    <p class="note">${f} (the line). Highest value of each image; heights are logarithmic.</p>`}function tn({site:e,layer:t,unit:n}){let r=e?.layers?.find(c=>c.name===t&&c.pages.layer)?.slug,[o,a]=ae(async()=>{if(!r)return null;let c=await K(`layer/${r}/units`);return n<c.count?Zt(r,n,c):null},[r,n]);if(a||!o?.patches.length||o.unit!==n)return null;let i=o.patches[0].value;return u`<section class="card" aria-labelledby="top-title">
    <h2 id="top-title">Top patches of unit ${n} in the run</h2>
    <ol class="patches in-a-row">${o.patches.map((c,h)=>u`<li key=${h}>
      <${st} ...${{patch:c,rank:h,mode:"crop",site:e,highest:i,guided:null,isMeant:!0}} />
      ${c.row!==null&&u`<a class="small" href=${`#row=${c.row}&mode=units&${new URLSearchParams({layer:t,unit:n})}`}>Open here</a>`}
    </li>`)}</ol>
  </section>`}var Gn={layer:"overlay",opacity:.85,smooth:!1},Xn={layer:"map",opacity:1,smooth:!1};function sn({model:e,photo:t,site:n,state:s,canNote:r,onError:o}){let[a,i]=x(null),[c,h]=x(null),[l,f]=x(null),[$,p]=x(null);P(()=>{i(null),Ee(e).then(i,o)},[e]);let d=(a?.layers??[]).filter(M=>M.shape.length===3),w=d.find(M=>M.default_for.includes("activations"))??d.at(-1),_=d.find(M=>M.name===s.layer)??w,v=Math.min(Number(s.unit)||0,(_?.shape[0]??1)-1),g=/^\d+,\d+$/.test(s.at??"")?s.at.split(",").map(Number):null;if(P(()=>{let M=!0;return h(null),t&&_&&H(e,"unit_map",{photo:t.id,layer:_.name,unit:v}).then(O=>M&&h(O),O=>M&&o(O)),()=>M=!1},[e,t?.id,_?.name,v]),P(()=>{let M=!0;return f(null),t&&_&&g&&H(e,"unit_gradient",{photo:t.id,layer:_.name,unit:v,y:g[0],x:g[1]}).then(O=>M&&f(O),O=>M&&o(O)),()=>M=!1},[e,t?.id,_?.name,v,s.at]),!a)return u`<p class="card muted" role="status">Loading the model…</p>`;if(!_)return u`<p class="card muted">The model has no layer with maps.</p>`;let k=M=>N({at:null,...M}),C=_.shape[0],U=n?.layers?.find(M=>M.name===_.name)?.pages?.layer,[z,q]=_.shape.slice(1),L=l?.result.box;return u`<div class="stack">
    <div class="card bar-of-controls">
      <label class="field">Layer <select name="layer" value=${_.name} onChange=${M=>k({layer:M.target.value,unit:0})}>
        ${d.map(M=>u`<option value=${M.name}>${M.name} · ${M.shape.join(" × ")}</option>`)}</select></label>
      <span class="unit-choice" role="group" aria-label="Unit">
        <button type="button" aria-label="Previous unit" disabled=${v<=0} onClick=${()=>k({layer:_.name,unit:v-1})}>←</button>
        <label class="field">Unit <input type="number" name="unit" min="0" max=${C-1} value=${v}
          onChange=${M=>k({layer:_.name,unit:M.target.value})} /></label>
        <button type="button" aria-label="Next unit" disabled=${v>=C-1} onClick=${()=>k({layer:_.name,unit:v+1})}>→</button>
        <span class="muted">of ${C}</span></span>
      ${U&&u`<a href=${`${F(U)}#unit=${v}`}>Page of this unit</a>`}
    </div>
    <div class="split even">
      <section class="card">
        <h2>Where the unit is active</h2>
        ${t?c?u`
          <${ne} photo=${`api/jobs/${c.id}/files/photo.png`} map=${c.result.map} mapFile=${c.files["values.bin"]} view=${Gn}
            cursor=${$} onCursor=${p} label=${t.name}
            onPick=${({row:M,column:O})=>N({layer:_.name,unit:v,at:`${M},${O}`})}>
            ${L&&u`<${nn} box=${L} size=${[a.width,a.height]} />`}
          </${ne}>
          <p class="note">Largest activation ${S(c.result.value,4)}. Receptive field ${c.result.receptive_field}. Click a position, or
            ${" "}<button type="button" class="quiet" onClick=${()=>Yn(c,z,q).then(M=>N({layer:_.name,unit:v,at:M}),o)}>the strongest one</button>,
            to see what drives the unit there.</p>
          <${en} place=${c.result.place} />`:u`<p class="muted" role="status">Running the model…</p>`:u`<p class="muted">Choose a photo first.</p>`}
      </section>
      <section class="card" aria-live="polite">
        <h2>What drives it ${g&&u`<span class="muted">at row ${g[0]}, column ${g[1]}</span>`}</h2>
        ${g?l?u`
          ${l.result.map?u`<${ne} photo=${l.files["photo.png"]} map=${l.result.map} mapFile=${l.files["values.bin"]}
                imageFile=${l.files["map.png"]} view=${Xn} cursor=${$} onCursor=${p} label=${t.name}>
                ${L&&u`<${nn} box=${L} size=${[a.width,a.height]} />`}</${ne}>`:l.result.pictures.map(M=>u`<img class="picture" src=${l.files[M.file]} alt=${M.caption} />`)}
          <p class="note">Guided gradient of ${l.result.targets[0]?.label} (activation ${S(l.result.targets[0]?.score,4)}).
            ${L?` The frame is its receptive field, ${L[2]-L[0]} × ${L[3]-L[1]} pixels. `:" Its receptive field is the whole image. "}
            ${l.result.notes.join(" ")}</p>
          <p class="actions"><${A} text=${l.result.python}>Copy Python</${A}><${A} text=${l.result.shell}>Copy shell</${A}></p>`:u`<p class="muted" role="status">Computing the gradient…</p>`:u`<p class="muted">Click a position of the map.</p>`}
      </section>
    </div>
    <${tn} site=${n} layer=${_.name} unit=${v} />
    ${r&&u`<${Qn} key=${`${_.name}:${v}`} layer=${_.name} unit=${v} onError=${o} />`}
  </div>`}async function Yn(e,t,n){let s=new Float32Array(await(await fetch(e.files["values.bin"])).arrayBuffer()),r=s.indexOf(Math.max(...s));return`${Math.floor(r/n)},${r%n}`}function nn({box:[e,t,n,s],size:[r,o]}){let a={left:`${100*e/r}%`,top:`${100*t/o}%`,width:`${100*(n-e)/r}%`,height:`${100*(s-t)/o}%`};return u`<span class="field-box" style=${a}></span>`}function Qn({layer:e,unit:t,onError:n}){let[s,r]=x(null),[o,a]=x(!1);if(P(()=>{je("notes").then(h=>r(h[e]?.[t]??{label:"",note:""}),n)},[]),!s)return null;let i=h=>{a(!1),r({...s,[h.target.name]:h.target.value})};return u`<form class="card note-form" onSubmit=${async h=>{h.preventDefault();try{await J("notes",{layer:e,unit:t,...s}),a(!0)}catch(l){n(l)}}}>
    <h2>Your note on unit ${t} of ${e}</h2>
    <label>Label <input type="text" name="label" maxlength="200" value=${s.label} onInput=${i} placeholder="for example: dog faces" /></label>
    <label>Note <textarea name="note" rows="2" maxlength="4000" value=${s.note} onInput=${i}></textarea></label>
    <p class="bar-of-controls"><button type="submit">Save</button><span class="small muted" role="status">${o?"Saved in the run folder.":""}</span></p>
  </form>`}var ie=[["explain","Explain"],["cover","Cover"],["units","Units"],["neighbours","Neighbours"]],Zn=1500;function es(e){let[t,n]=x(null),[s,r]=x(null),o=t&&t.pages?.status==="done";return P(()=>{let a,i=async()=>{try{let c=await je("state");n(c),c.pages&&!["done","failed","cancelled"].includes(c.pages.status)&&(a=setTimeout(i,Zn))}catch(c){e(c)}};return i(),()=>clearTimeout(a)},[]),P(()=>{t&&(window.convvizShared.chunks.delete("site"),Me().then(r,e))},[!!t,o]),[t,s]}function ts(){let e=Ge(),[t,n]=x(null),[s,r]=es(n),[o,a]=x(null),i=I(null),c=ie.some(([d])=>d===e.mode)?e.mode:"explain",h=Math.min(Number(e.model)||0,(s?.models.length??1)-1),l=zt(h,o,n);P(()=>{let d=/^\d+$/.test(e.row??"")?Number(e.row):null;d===null||i.current===d||(i.current=d,J("rows",{row:d}).then(w=>i.current===d&&a(w),n))},[e.row]);let f=d=>{i.current=d.row,a(d),N({row:d.row,box:null,at:null,target:null})},$=s&&r&&(!o||l||t);if(P(()=>$&&Ye(),[!!$]),!s)return t?u`<p class="card problem" role="alert">${t.message}.</p>`:null;let p={model:h,models:s.models,photo:o,site:r,state:e,job:l,prediction:l?.result.classes,onError:n};return u`<div class="workbench">
    <div class="head"><h1>Workbench</h1>
      ${s.models.length>1?u`<label class="field">Model <select name="model" value=${h} onChange=${d=>N({model:d.target.value})}>
            ${s.models.map((d,w)=>u`<option value=${w}>${d.name}</option>`)}</select></label>`:u`<span class="sub">${s.models[0].name}</span>`}
    </div>
    ${t&&u`<p class="card problem banner" role="alert">${t.message} <button type="button" class="quiet" onClick=${()=>n(null)}>Dismiss</button></p>`}
    <div class="bench">
      <div class="stack side">
        <${Wt} photo=${o} site=${r} pages=${s.pages&&s.pages.status!=="done"?s.pages:null} onOpen=${f} onError=${n} />
        ${o&&u`<section class="card" aria-label="Prediction"><h2>The model says</h2>
          ${l?u`<${Ne} classes=${l.result.classes} chosen=${e.target} caption="Most probable classes"
              onChoose=${d=>N({target:d===e.target?null:d})} />
            <p class="small muted">Click a class to make it the target.</p>`:u`<p class="muted" role="status">Running the model…</p>`}
        </section>`}
      </div>
      <div class="stack main">
        <div class="tabs" role="tablist" aria-label="Tools">
          ${ie.map(([d,w])=>u`<button type="button" role="tab" id=${`tab-${d}`} aria-selected=${c===d} aria-controls="tool"
            tabindex=${c===d?0:-1} onClick=${()=>N({mode:d})}
            onKeyDown=${_=>ns(_,d)}>${w}</button>`)}
        </div>
        <div id="tool" role="tabpanel" aria-labelledby=${`tab-${c}`}>
          <div hidden=${c!=="explain"}><${Xt} ...${p} /></div>
          ${c==="cover"&&u`<${Ft} ...${p} />`}
          ${c==="units"&&u`<${sn} ...${p} canNote=${s.notes} />`}
          ${c==="neighbours"&&u`<${Yt} ...${p} />`}
        </div>
      </div>
    </div>
  </div>`}function ns(e,t){let n={ArrowRight:1,ArrowLeft:-1}[e.key];if(!n)return;e.preventDefault();let s=ie.findIndex(([o])=>o===t),[r]=ie[(s+n+ie.length)%ie.length];N({mode:r}),document.getElementById(`tab-${r}`).focus()}async function ss(){let e=await Me().catch(()=>null),t=location.pathname.match(/layer\/([^/]+)\.html$/)?.[1],n=e?.layers.find(o=>o.slug===t)?.name??"",s=document.createElement("a");s.className="to-workbench";let r=()=>{let{id:o,unit:a}=Ce(),i=document.body.dataset.page,c=a!==void 0;s.hidden=!(c||i==="image"&&o!==void 0),s.textContent=c?`Try unit ${a} on a photo`:"Explain this image",s.href=`${Q}live.html#${new URLSearchParams(c?{mode:"units",layer:n,unit:a}:{row:o??""})}`};for(let o of["convviz:state","hashchange","popstate"])window.addEventListener(o,r);r(),document.body.append(s)}var on=document.getElementById("workbench");on?We(u`<${ts} />`,on):ss();})();
